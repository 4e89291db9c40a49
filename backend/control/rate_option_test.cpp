#include "backend/control/rate_option.hpp"

#include <doctest/doctest.h>

using ringback::control::parse_rate_option;
using ringback::xenstore::Rate;

TEST_CASE("a rate is read as xl reads it") {
  CHECK(*parse_rate_option("10Mb/s") == Rate{62'500, 50'000});
  CHECK(*parse_rate_option("100Kb/s") == Rate{625, 50'000});
  CHECK(*parse_rate_option("2MB/s@20ms") == Rate{40'000, 20'000});
  CHECK(*parse_rate_option("1GB/s@1s") == Rate{1'000'000'000, 1'000'000});
  CHECK(*parse_rate_option("999999999GB/s@1s") == Rate{999'999'999'000'000'000, 1'000'000});
  CHECK(*parse_rate_option("3000B/s@500us") == Rate{1, 500});
}

TEST_CASE("a rate may be written as the store has it") {
  CHECK(*parse_rate_option("62500,50000") == Rate{62'500, 50'000});
}

TEST_CASE("a rate that is none or nothing is refused") {
  for (const char* text : {"", "10", "10M", "10Mb", "-1Mb/s", "10Tb/s", "1Mb/s@", "1Mb/s@5",
                           "1Mb/s@0ms", "1Mb/s@2s", "8b/s@1ms", "0Mb/s", "10000000000B/s", "5,"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_rate_option(text));
  }
}
