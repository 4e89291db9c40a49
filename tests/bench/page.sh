# shellcheck shell=bash
# into_page FOLDER NAME TABLES: the file TABLES takes the place of what is between the marks of that name in
# FOLDER/performance.md; at its end, where there are none.
into_page() {
  local page=$1/performance.md
  grep -qs "<!-- $2 -->" "$page" || printf '\n<!-- %s -->\n<!-- end of %s -->\n' "$2" "$2" >>"$page"
  sed -i -e "/<!-- $2 -->/r $3" -e "/<!-- $2 -->/,/<!-- end of $2 -->/ { /<!--/!d }" "$page"
}
