#!/bin/bash
# backports.sh CACHE PACKAGE...: packages of Debian's backports, downloaded and unpacked in CACHE/backports, never installed; this
# machine's apt sources are not touched.
set -euo pipefail
folder=$1/backports
shift
missing=()
for package; do [[ -e $folder/$package.unpacked ]] || missing+=("$package"); done
if ((${#missing[@]})); then
  mkdir -p "$folder"/apt/{lists/partial,cache/archives/partial}
  # shellcheck disable=SC2016 # apt's own word
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
  [[ -n $mirror ]] || { echo "apt knows no mirror of Debian here: run apt-get update" >&2; exit 1; }
  cat >"$folder/apt/sources" <<END
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm-backports main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main
END
  cat >"$folder/apt/configuration" <<END
Dir::Etc::SourceList "$folder/apt/sources";
Dir::Etc::SourceParts "-";
Dir::State::Lists "$folder/apt/lists";
Dir::Cache "$folder/apt/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
END
  export APT_CONFIG=$folder/apt/configuration
  apt-get update -q >&2
  for package in "${missing[@]}"; do
    rm -f "$folder/${package}"_*.deb # of a run that was interrupted
    (cd "$folder" && apt-get download -q "$package/bookworm-backports" >&2) || {
      echo "cannot download the package $package of bookworm-backports (does apt reach its mirror?)" >&2
      exit 1
    }
    dpkg -x "$folder/${package}"_*.deb "$folder"
    touch "$folder/$package.unpacked"
  done
fi
