// What a stream has recorded: work, and which of it comes after which. It is done in any order that
// its edges allow, another one at each launch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

using Work = std::function<void()>;

/// What a recording has come to in a stream: the items that the next one comes after.
using Ends = std::vector<size_t>;

struct symk_host_graph {
  struct Node {
    Work work;
    Ends after;
    long long together = 0;  // how many blocks wait for each other in it
  };
  std::vector<Node> nodes;
  uint64_t launches = 0;
};

namespace symk::cuda::host {

/// Marks all that comes before these ends, and them.
inline std::vector<bool> before(const symk_host_graph& graph, const Ends& ends) {
  std::vector<bool> found(graph.nodes.size(), false);
  std::vector<size_t> open = ends;
  while (!open.empty()) {
    const size_t node = open.back();
    open.pop_back();
    if (found[node]) continue;
    found[node] = true;
    open.insert(open.end(), graph.nodes[node].after.begin(), graph.nodes[node].after.end());
  }
  return found;
}

/// Whether two of its launches may each have some of their waiting blocks on a device of `most`,
/// and no room for the others.
inline bool may_hang(const symk_host_graph& graph, long long most) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const long long own = graph.nodes[i].together;
    if (own == 0) continue;
    const std::vector<bool> ended = before(graph, graph.nodes[i].after);
    for (size_t k = 0; k < i; ++k) {
      const long long other = graph.nodes[k].together;
      if (other > 0 && !ended[k] && own + other > most) return true;
    }
  }
  return false;
}

/// How much a launch hurries to an item: the first one has the order in which they were recorded,
/// the second one does what was recorded last first, then others.
inline uint64_t hurry(uint64_t launch, size_t node) {
  if (launch == 0) return UINT64_MAX - node;
  if (launch == 1) return node;
  uint64_t mixed = (launch << 32) + node;  // the end of MurmurHash3
  mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccd;
  mixed = (mixed ^ (mixed >> 33)) * 0xc4ceb9fe1a85ec53;
  return mixed ^ (mixed >> 33);
}

/// The order of a launch: an item is done as soon or as late as its edges and its hurry allow.
inline std::vector<size_t> order_of(const symk_host_graph& graph, uint64_t launch) {
  const size_t count = graph.nodes.size();
  std::vector<size_t> missing(count), order;
  std::vector<std::vector<size_t>> followers(count);
  std::set<std::pair<uint64_t, size_t>> ready;
  for (size_t i = 0; i < count; ++i) {
    missing[i] = graph.nodes[i].after.size();
    if (missing[i] == 0) ready.emplace(hurry(launch, i), i);
    for (const size_t other : graph.nodes[i].after) followers[other].push_back(i);
  }
  while (!ready.empty()) {
    const size_t next = ready.rbegin()->second;
    ready.erase(std::prev(ready.end()));
    order.push_back(next);
    for (const size_t follower : followers[next]) {
      if (--missing[follower] == 0) ready.emplace(hurry(launch, follower), follower);
    }
  }
  return order;
}

}  // namespace symk::cuda::host
