// ctc_greedy_decode and ctc_beam_search: from logits to labels, row by row. Searching is comparing
// and following links, so it is compiled once for all instruction sets.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "cpu/ctc_decode_plan.h"
#include "cpu/lambda_step.h"
#include "cpu/parts.h"

namespace symk::cpu {
namespace {

constexpr double kNever = -HUGE_VAL;  // the logarithm of probability 0

double real_at(DType dtype, const void* data, int64_t i) {
  return dtype == DType::kFloat32 ? static_cast<double>(static_cast<const float*>(data)[i])
                                  : static_cast<const double*>(data)[i];
}
void set_real(DType dtype, void* data, int64_t i, double value) {
  if (dtype == DType::kFloat32) {
    static_cast<float*>(data)[i] = static_cast<float>(value);
  } else {
    static_cast<double*>(data)[i] = value;
  }
}

/// Checks the lengths, then runs f(row, steps, part) for the rows of the batch.
template <class F>
Status run_rows(const DecodePlan& problem, int64_t parts, const Operands& operands, ThreadPool& pool,
                F f) {
  auto steps_of = [&](int64_t row) {
    return integer_at(problem.steps_dtype, operands.in[1], row);
  };
  for (int64_t row = 0; row < problem.batch; ++row) {
    const int64_t steps = steps_of(row);
    if (steps < 0 || steps > problem.steps)
      return {Status::kOutOfRange, steps, row, problem.steps, kStepsNeed};
  }
  run_parts(pool, parts, [&](int64_t part) {
    const int64_t end = part_begin(problem.batch, part + 1, parts);
    for (int64_t row = part_begin(problem.batch, part, parts); row < end; ++row)
      f(row, steps_of(row), part);
  });
  return Status();
}

// --- greedy ---

std::unique_ptr<Step> bind_greedy(Binding& binding) {
  const DecodePlan problem = plan_greedy_decode(binding);
  const int64_t parts = clamp(problem.batch, 1, kMaxParts);
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    return run_rows(problem, parts, operands, pool, [&](int64_t row, int64_t steps, int64_t) {
      int64_t* to = static_cast<int64_t*>(operands.out[0]) + row * problem.steps;
      int64_t found = 0, previous = -1;
      double sum = 0;
      for (int64_t step = 0; step < steps; ++step) {
        const int64_t at = (row * problem.steps + step) * problem.classes;
        int64_t best = 0;
        for (int64_t i = 1; i < problem.classes; ++i) {
          if (real_at(problem.logits_dtype, operands.in[0], at + i) >
              real_at(problem.logits_dtype, operands.in[0], at + best))
            best = i;
        }
        sum -= real_at(problem.logits_dtype, operands.in[0], at + best);
        if (best != problem.classes - 1 && !(problem.merge && best == previous)) to[found++] = best;
        previous = best;
      }
      std::fill(to + found, to + problem.steps, -1);
      set_real(problem.logits_dtype, operands.out[1], row, sum);
    });
  });
}

// --- beam search ---

double log_sum(double a, double b) {
  const double larger = std::max(a, b);
  return larger == kNever ? kNever : larger + std::log1p(std::exp(std::min(a, b) - larger));
}

/// A beginning of the labels: logarithms of the probabilities that it ends with a blank, with its
/// last label, and of both together.
struct Entry {
  double blank, label, total;
  int64_t order;       // when it was made in its step: the earlier of equals is better
  int32_t node;        // of the tree; -1 if it has none yet
  int32_t before, last;  // the node without the last label, and that label; -1 for the root
};

bool better(const Entry& a, const Entry& b) {
  return a.total != b.total ? a.total > b.total : a.order < b.order;
}

/// The memory of one search: beginnings are nodes of a tree that only grows.
struct Search {
  int64_t width, classes;
  Entry *beam, *next;                // `width` each; next is a heap with the worst on top
  int32_t *before, *label, *place;   // per node; place in the beam, or -1
  double* scores;                    // of a step, per class
  int64_t* taken;                    // per class: the last entry that has it as a longer one
  int64_t size = 0, next_size = 0, nodes = 0, order = 0;

  static int64_t bytes(const BeamPlan& plan) {
    const int64_t per_node = checked_multiply(plan.nodes, 12);
    const int64_t entries = checked_multiply(plan.width, 2 * sizeof(Entry));
    const int64_t per_class = checked_multiply(plan.classes, 16);
    return aligned_size(checked_add(checked_add(per_node, entries), per_class));
  }

  Search(char* memory, const BeamPlan& plan) : width(plan.width), classes(plan.classes) {
    beam = reinterpret_cast<Entry*>(memory);
    next = beam + width;
    scores = reinterpret_cast<double*>(next + width);
    taken = reinterpret_cast<int64_t*>(scores + classes);
    before = reinterpret_cast<int32_t*>(taken + classes);
    label = before + plan.nodes;
    place = label + plan.nodes;
    std::fill(taken, taken + classes, -1);
    beam[0] = {0, kNever, 0, 0, add_node(-1, -1), -1, -1};
    size = 1;
  }

  int32_t add_node(int32_t parent, int32_t last) {
    before[nodes] = parent;
    label[nodes] = last;
    place[nodes] = -1;
    return static_cast<int32_t>(nodes++);
  }

  void offer(Entry entry) {
    if (!(entry.total > kNever)) return;
    entry.order = order++;
    if (next_size == width) {
      if (!(entry.total > next[0].total)) return;
      std::pop_heap(next, next + next_size--, better);
    }
    next[next_size++] = entry;
    std::push_heap(next, next + next_size, better);
  }

  /// What an entry becomes if no label is added: a blank comes, or its last label again, or the
  /// entry without that label grows into it.
  Entry stay(const Entry& entry) const {
    Entry stayed = entry;
    stayed.blank = entry.total + scores[classes - 1];
    stayed.label = kNever;
    if (entry.before >= 0) {
      double reached = entry.label;
      if (const int32_t at = place[entry.before]; at >= 0) {
        const Entry& shorter = beam[at];
        reached = log_sum(reached, shorter.last == entry.last ? shorter.blank : shorter.total);
      }
      stayed.label = reached + scores[entry.last];
    }
    stayed.total = log_sum(stayed.blank, stayed.label);
    return stayed;
  }

  /// Offers an entry with each label behind it that the beam does not hold already.
  void grow(int64_t number) {
    const Entry& entry = beam[number];
    if (next_size == width && !(entry.total > next[0].total)) return;
    for (int64_t i = 0; i < size; ++i) {
      if (beam[i].before == entry.node) taken[beam[i].last] = order;
    }
    const int64_t mark = order;
    for (int64_t i = 0; i + 1 < classes; ++i) {
      if (taken[i] == mark) continue;
      const double added = scores[i] + (i == entry.last ? entry.blank : entry.total);
      offer({kNever, added, added, 0, -1, entry.node, static_cast<int32_t>(i)});
    }
    ++order;  // so that the next mark differs
  }

  void step() {
    for (int64_t i = 0; i < size; ++i) place[beam[i].node] = static_cast<int32_t>(i);
    next_size = 0;
    for (int64_t i = 0; i < size; ++i) offer(stay(beam[i]));
    for (int64_t i = 0; i < size; ++i) grow(i);
    for (int64_t i = 0; i < size; ++i) place[beam[i].node] = -1;
    std::sort_heap(next, next + next_size, better);
    for (int64_t i = 0; i < next_size; ++i) {
      if (next[i].node < 0) next[i].node = add_node(next[i].before, next[i].last);
    }
    std::swap(beam, next);
    size = next_size;
  }

  /// log_softmax of the logits of a step.
  void read_scores(DType dtype, const void* logits, int64_t at) {
    double largest = kNever, sum = 0;
    for (int64_t i = 0; i < classes; ++i) {
      scores[i] = real_at(dtype, logits, at + i);
      largest = std::max(largest, scores[i]);
    }
    for (int64_t i = 0; i < classes; ++i) sum += std::exp(scores[i] - largest);
    for (int64_t i = 0; i < classes; ++i) scores[i] -= largest + std::log(sum);
  }

  /// Writes the labels of a node, padded with -1.
  void write(int32_t node, bool merge, int64_t* to, int64_t places) const {
    int64_t count = 0;
    for (int32_t at = node; before[at] >= 0; at = before[at]) count += is_written(at, merge);
    std::fill(to + count, to + places, -1);
    for (int32_t at = node; before[at] >= 0; at = before[at]) {
      if (is_written(at, merge)) to[--count] = label[at];
    }
  }
  bool is_written(int32_t node, bool merge) const {
    return !merge || label[before[node]] != label[node];
  }
};

std::unique_ptr<Step> bind_beam_search(Binding& binding) {
  const BeamPlan problem = plan_beam_search(binding);
  const int64_t paths = problem.paths;
  const int64_t parts = clamp(problem.batch, 1, kMaxParts);
  const int64_t part_bytes = Search::bytes(problem);
  binding.need_scratch(checked_multiply(part_bytes, parts));
  return make_step([=](const Operands& operands, ThreadPool& pool) {
    return run_rows(problem, parts, operands, pool, [&](int64_t row, int64_t steps, int64_t part) {
      Search search(static_cast<char*>(operands.scratch) + part * part_bytes, problem);
      for (int64_t step = 0; step < steps; ++step) {
        search.read_scores(problem.logits_dtype, operands.in[0],
                           (row * problem.steps + step) * problem.classes);
        search.step();
      }
      for (int64_t path = 0; path < paths; ++path) {
        const int64_t place = row * paths + path;
        int64_t* to = static_cast<int64_t*>(operands.out[0]) + place * problem.steps;
        const bool is_found = path < search.size;
        search.write(is_found ? search.beam[path].node : 0, problem.merge, to, problem.steps);
        set_real(problem.logits_dtype, operands.out[1], place,
                 is_found ? search.beam[path].total : kNever);
      }
    });
  });
}

const KernelEntry entries[] = {
    {"ctc_greedy_decode", bind_greedy, Empty::kRuns},
    {"ctc_beam_search", bind_beam_search, Empty::kRuns},
};

}  // namespace
}  // namespace symk::cpu
