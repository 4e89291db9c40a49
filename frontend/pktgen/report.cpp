#include "frontend/pktgen/report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace ringback::frontend {
namespace {

constexpr std::pair<const char*, double> percentiles[] = {
    {"50", 50.0}, {"90", 90.0}, {"99", 99.0}, {"99.9", 99.9}};

double rate(const PktgenReport& report, std::uint64_t count) {
  return report.seconds > 0 ? static_cast<double>(count) / report.seconds : 0;
}

std::string line(const PktgenReport& report, const char* name, const PktgenReport::Counts& counts) {
  return fmt::format("{:<10} {:>14} {:>10.3f} {:>10.3f}\n", name, counts.frames,
                     rate(report, counts.frames) / 1e6, rate(report, counts.bytes) * 8 / 1e9);
}

}  // namespace

std::string to_text(const PktgenReport& report) {
  std::string text = fmt::format("{:<10} {:>14} {:>10} {:>10}   in {:.2f} s\n", "", "frames",
                                 "Mpps", "Gbit/s", report.seconds);
  text += line(report, "sent", report.sent);
  text += line(report, "received", report.received);
  const auto& arrivals = report.arrivals;
  text += fmt::format("in all: {} sent, {} lost, {} twice, {} reordered, {} too late, {} corrupt\n",
                      report.sent_in_all, report.lost(), arrivals.duplicates, arrivals.reordered,
                      arrivals.strays, report.corrupt);
  text += fmt::format("{} frames of others, {} slots refused, {} frames failed\n", report.foreign,
                      report.refused, report.errors);
  text += fmt::format("CPU {:.0f} %, {} events to the backend, {} from it\n",
                      100 * report.cpu_seconds / std::max(report.seconds, 1e-9),
                      report.notifications, report.events);
  if (report.latency.count() > 0) {
    text += "latency, us:";
    for (const auto& [name, percent] : percentiles)
      text += fmt::format("  {} % {:.1f}", name,
                          static_cast<double>(report.latency.percentile(percent)) / 1e3);
    text += fmt::format("  max {:.1f}\n", static_cast<double>(report.latency.highest()) / 1e3);
  }
  return text;
}

std::string to_json(const PktgenReport& report) {
  const auto counts = [&](const PktgenReport::Counts& counted) -> nlohmann::ordered_json {
    return {{"frames", counted.frames},
            {"bytes", counted.bytes},
            {"frames_per_second", rate(report, counted.frames)},
            {"bits_per_second", rate(report, counted.bytes) * 8}};
  };
  nlohmann::ordered_json json = {{"seconds", report.seconds},
                                 {"cpu_seconds", report.cpu_seconds},
                                 {"sent", counts(report.sent)},
                                 {"received", counts(report.received)},
                                 {"notifications", report.notifications},
                                 {"events", report.events},
                                 {"in_all",
                                  {{"sent", report.sent_in_all},
                                   {"received", report.arrivals.frames},
                                   {"lost", report.lost()},
                                   {"duplicates", report.arrivals.duplicates},
                                   {"reordered", report.arrivals.reordered},
                                   {"strays", report.arrivals.strays},
                                   {"corrupt", report.corrupt},
                                   {"foreign", report.foreign},
                                   {"refused", report.refused},
                                   {"errors", report.errors}}}};
  if (report.latency.count() > 0) {
    auto& latency = json["latency_ns"];
    for (const auto& [name, percent] : percentiles)
      latency[name] = report.latency.percentile(percent);
    latency["max"] = report.latency.highest();
  }
  return json.dump();
}

}  // namespace ringback::frontend
