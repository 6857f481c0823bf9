// Launches beside each other: random programs over bytes, done in the orders that a graph allows,
// give what they give one after the other; with an edge less they do not. Their memory may be used
// again by what comes after, and never by what runs beside them.
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "../outcome.h"
#include "cuda/branches.cu"
#include "cuda/dependencies.cu"
#include "cuda/host/graph.h"
#include "runtime/layout.cpp"

using namespace symk;
using namespace symk::cuda;
using namespace symk::test;
using symk::cuda::host::before;
using symk::cuda::host::order_of;

namespace {

void expect(bool holds, const char* what, size_t seed) {
  ++cases;
  if (holds) return;
  ++failures;
  std::printf("FAIL %s, program %zu\n", what, seed);
}

constexpr int64_t kBytes = 64;  // of a value
constexpr size_t kLaunches = 60;

/// A program: each launch makes new values of old ones, or changes one in its place.
struct Made {
  std::vector<Launch> launches;
  std::vector<Piece> pieces;  // a value each
};

/// Spans are those of values, whose names are the addresses of pieces.
Made random_program(size_t seed, size_t count, bool together) {
  std::mt19937 random(static_cast<unsigned>(seed));
  const auto below = [&](size_t limit) { return static_cast<size_t>(random()) % limit; };
  Made made;
  made.pieces.resize(count + 1, Piece{kBytes, 0, 0, 0});
  std::vector<size_t> values;
  for (size_t i = 0; i < count; ++i) {
    Launch launch;
    launch.load.time_ns = 5000 + static_cast<int64_t>(below(40000));
    launch.load.share = 100 + static_cast<int>(below(500));
    launch.load.together = below(6) == 0 && together;
    launch.fence = i == 0 || below(30) == 0;
    const size_t reach = std::min<size_t>(values.size(), 6);
    for (size_t k = below(3); reach > 0 && k > 0; --k) {
      const size_t value = values[values.size() - 1 - below(reach)];
      launch.touched.read.push_back({&made.pieces[value], 0, kBytes});
    }
    const bool in_place = !launch.touched.read.empty() && below(4) == 0;
    if (in_place) {
      launch.touched.written.push_back(launch.touched.read[0]);
    } else {
      launch.touched.written.push_back({&made.pieces[i], 0, kBytes});
      values.push_back(i);
    }
    made.launches.push_back(std::move(launch));
  }
  return made;
}

/// What a launch does: its results depend on who it is, on all that it reads, and on their order.
void run(const Made& made, size_t launch, std::vector<unsigned char>& arena,
         unsigned char* results) {
  const auto place = [&](const Span& span) {
    return arena.data() + static_cast<const Piece*>(span.space)->offset;
  };
  const Touched& touched = made.launches[launch].touched;
  unsigned char sums[kBytes];
  for (int64_t i = 0; i < kBytes; ++i) {
    unsigned sum = static_cast<unsigned>(launch * 37 + static_cast<size_t>(i));
    for (const Span& span : touched.read) sum = sum * 31 + place(span)[i];
    sums[i] = static_cast<unsigned char>(sum ^ (sum >> 8));
  }
  for (const Span& span : touched.written) std::memcpy(place(span), sums, kBytes);
  std::memcpy(results, sums, kBytes);
}

/// As a device would record it: edges within a branch, and where one waits for another.
symk_host_graph record(const Made& made, const Branches& branches) {
  symk_host_graph graph;
  std::vector<int64_t> last(kMostBranches, -1);
  Ends all;  // before the last fence
  for (size_t i = 0; i < made.launches.size(); ++i) {
    const Turn& turn = branches.turns()[i];
    if (made.launches[i].fence) {
      all.clear();
      for (int64_t& end : last) {
        if (end >= 0) all.push_back(static_cast<size_t>(end));
        end = -1;
      }
    }
    Ends after = turn.after;
    if (last[turn.branch] >= 0) after.push_back(static_cast<size_t>(last[turn.branch]));
    if (last[turn.branch] < 0) after.insert(after.end(), all.begin(), all.end());
    last[turn.branch] = static_cast<int64_t>(i);
    graph.nodes.push_back({Work(), after});
  }
  return graph;
}

/// What each launch has written in a run in the order of a launch of the graph, and the values that
/// last.
std::vector<unsigned char> result(const Made& made, const symk_host_graph& graph, uint64_t launch,
                                  int64_t bytes) {
  std::vector<unsigned char> arena(static_cast<size_t>(bytes), 0xA5);
  std::vector<unsigned char> found(made.launches.size() * kBytes);
  for (const size_t i : order_of(graph, launch)) run(made, i, arena, found.data() + i * kBytes);
  for (const Piece& piece : made.pieces) {
    if (piece.last == 0) continue;
    found.insert(found.end(), arena.begin() + piece.offset, arena.begin() + piece.offset + kBytes);
  }
  return found;
}

/// Every third value is wanted after the last launch.
std::vector<Usage> usages(Made& made, const Branches& branches) {
  std::vector<Usage> all(made.pieces.size());
  const auto note = [&](const std::vector<Span>& spans, size_t launch) {
    for (const Span& span : spans)
      branches.note(
          launch,
          all[static_cast<size_t>(static_cast<const Piece*>(span.space) - made.pieces.data())]);
  };
  for (size_t i = 0; i < made.launches.size(); ++i) {
    note(made.launches[i].touched.read, i);
    note(made.launches[i].touched.written, i);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].first == SIZE_MAX) {
      made.pieces[i].bytes = 0;
    } else if (i % 3 == 0) {
      made.pieces[i].last = 1;
      branches.note(made.launches.size(), all[i]);
    }
  }
  return all;
}

int64_t lay_out(Made& made, const Branches& branches) {
  const std::vector<Usage> all = usages(made, branches);
  return place(made.pieces, [&](size_t a, size_t b) { return branches.together(all[a], all[b]); });
}

/// A line: each after the one before.
symk_host_graph line(size_t count) {
  symk_host_graph graph;
  for (size_t i = 0; i < count; ++i) graph.nodes.push_back({Work(), i > 0 ? Ends{i - 1} : Ends{}});
  return graph;
}

/// So many orders find every edge that is missing.
constexpr uint64_t kOrders = 300;

bool same_in_all_orders(const Made& made, const symk_host_graph& graph, int64_t bytes,
                        const std::vector<unsigned char>& wanted, uint64_t orders = 40) {
  for (uint64_t launch = 0; launch < orders; ++launch) {
    if (result(made, graph, launch, bytes) != wanted) return false;
  }
  return true;
}

/// What must be ordered is, and a graph without one of its edges is found out.
void check_orders(size_t seed, int64_t& forked, int64_t& dropped, int64_t& found_out) {
  Made made = random_program(seed, kLaunches, false);
  const Branches branches(made.launches);
  const int64_t bytes = lay_out(made, branches);
  symk_host_graph graph = record(made, branches);
  const std::vector<unsigned char> wanted = result(made, line(made.launches.size()), 0, bytes);
  expect(same_in_all_orders(made, graph, bytes, wanted), "another order gives other values", seed);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    forked += branches.turns()[i].branch > 0;
    for (const size_t other : branches.turns()[i].after) {
      symk_host_graph less = graph;
      Ends& after = less.nodes[i].after;
      after.erase(std::find(after.begin(), after.end(), other));
      if (before(less, after)[other]) continue;  // another edge says the same
      ++dropped;
      found_out += !same_in_all_orders(made, less, bytes, wanted, kOrders);
    }
  }
}

/// The same with the memory of one after the other, where those beside each other wait for its use.
void check_packed(size_t seed) {
  Made made = random_program(seed, kLaunches, true);
  std::vector<Launch> in_turn = made.launches;
  for (Launch& launch : in_turn) launch.load.share = Load::kWhole;
  const Branches line_of_them(in_turn);
  const int64_t bytes = lay_out(made, line_of_them);
  const char arena = 0;
  std::vector<Launch> places = made.launches;
  for (Launch& launch : places) {
    for (std::vector<Span>* spans : {&launch.touched.read, &launch.touched.written}) {
      for (Span& span : *spans) {
        const int64_t offset = static_cast<const Piece*>(span.space)->offset;
        span = {&arena, offset, offset + kBytes};
      }
    }
  }
  const symk_host_graph graph = record(made, Branches(places));
  const std::vector<unsigned char> wanted = result(made, line(made.launches.size()), 0, bytes);
  expect(same_in_all_orders(made, graph, bytes, wanted), "memory is used again too early", seed);
}

/// Launches whose blocks wait for each other fit on the device with all that may run beside them.
void check_room(size_t seed) {
  const Made made = random_program(seed, kLaunches, true);
  const symk_host_graph graph = record(made, Branches(made.launches));
  for (size_t i = 0; i < made.launches.size(); ++i) {
    if (!made.launches[i].load.together) continue;
    const std::vector<bool> ended = before(graph, graph.nodes[i].after);
    int share = made.launches[i].load.share;
    for (size_t k = 0; k < i; ++k) {
      if (made.launches[k].load.together && !ended[k]) share += made.launches[k].load.share;
    }
    expect(share <= Load::kWhole, "no room for waiting blocks", seed);
  }
}

Launch launch_of(const void* read, const void* written, int64_t time_ns, int share) {
  Launch launch;
  if (read != nullptr) launch.touched.read = {{read, 0, 1}};
  launch.touched.written = {{written, 0, 1}};
  launch.load.time_ns = time_ns;
  launch.load.share = share;
  return launch;
}

/// Two ways from one value, of `steps` launches each; how many branches they take.
int branches_of_two_ways(int64_t time_ns, int share, size_t steps) {
  std::vector<char> values(2 * steps + 1);
  std::vector<Launch> launches = {launch_of(nullptr, &values[0], time_ns, share)};
  launches[0].fence = true;
  for (size_t way = 0; way < 2; ++way) {
    for (size_t i = 0; i < steps; ++i) {
      const size_t own = 1 + way * steps + i;
      launches.push_back(launch_of(&values[i == 0 ? 0 : own - 1], &values[own], time_ns, share));
    }
  }
  int most = 0;
  const Branches branches(launches);
  for (const Turn& turn : branches.turns()) most = std::max(most, turn.branch);
  return most + 1;
}

void check_worth() {
  expect(branches_of_two_ways(20000, 500, 3) == 2, "two halves of a device, in turn", 0);
  expect(branches_of_two_ways(20000, 700, 3) == 2, "what a device has left is not used", 0);
  expect(branches_of_two_ways(20000, 1000, 3) == 1, "two devices' work, beside each other", 0);
  expect(branches_of_two_ways(1000, 100, 1) == 1, "a fork for nothing", 0);
  expect(branches_of_two_ways(20000, 100, 0) == 1, "a fork of one launch", 0);
  expect(Branches(std::vector<Launch>()).time_ns() == 0, "no launches take time", 0);
}

}  // namespace

int main() {
  int64_t forked = 0, dropped = 0, found_out = 0;
  for (size_t seed = 0; seed < 150; ++seed) {
    check_orders(seed, forked, dropped, found_out);
    check_packed(seed);
    check_room(seed);
  }
  check_worth();
  std::printf("%lld launches in branches; %lld edges taken away, %lld found out\n",
              static_cast<long long>(forked), static_cast<long long>(dropped),
              static_cast<long long>(found_out));
  expect(forked > 1000 && dropped > 1000, "too little runs beside each other to say something", 0);
  expect(found_out == dropped, "a missing edge changes nothing", 0);
  return report("branches");
}
