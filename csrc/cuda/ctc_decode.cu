// From logits to labels: the most probable class of each step (ctc_greedy_decode), and the search
// for the most probable labels (ctc_beam_search), in double whatever the logits are. The search is
// the CPU's: a beam of beginnings grows by each step, and the best of what it becomes are kept, the
// earlier of equals first. A block does a row.
#include "cpu/ctc_decode_plan.h"
#include "cuda/fault.h"
#include "cuda/fold.h"
#include "cuda/integers.h"

namespace symk::cuda {
namespace {

constexpr double kNever = -math::Format<double>::infinity;  // the logarithm of probability 0

const char* const kNeeds[] = {cpu::kStepsNeed};

struct FindBadSteps {
  Integers row_steps;
  int64_t steps;
  Fault* fault;
  SYMK_HD void operator()(int64_t row) const {
    if (row_steps[row] < 0 || row_steps[row] > steps) note_position(fault, row);
  }
};
struct NoteBadSteps {
  Integers row_steps;
  int64_t steps;
  Fault* fault;
  SYMK_HD void operator()(int64_t) const {
    if (fault->rank == 0) return;
    const auto row = static_cast<int64_t>(UINT64_MAX - fault->rank);
    note_refusal(fault, {1, row_steps[row], row, steps});
  }
};

/// The steps of each row, after those that are no such numbers are noted.
Integers check_steps(const Queue& queue, const cpu::DecodePlan& plan, const Operands& operands) {
  const Integers row_steps = {operands.in[1], plan.steps_dtype};
  each(queue, plan.batch, FindBadSteps{row_steps, plan.steps, operands.fault});
  each(queue, 1, NoteBadSteps{row_steps, plan.steps, operands.fault});
  return row_steps;
}

// --- greedy ---

/// The largest class of each step, a thread per row.
template <class T>
struct GreedyDecode {
  int64_t steps, classes;
  bool merge;
  const T* logits;
  Integers row_steps;
  int64_t* labels;
  T* y;
  const Fault* fault;
  SYMK_HD void operator()(int64_t row) const {
    if (fault->rank != 0) return;
    int64_t* const to = labels + row * steps;
    int64_t found = 0, previous = -1;
    double sum = 0;
    for (int64_t step = 0; step < row_steps[row]; ++step) {
      const T* const x = logits + (row * steps + step) * classes;
      int64_t best = 0;
      for (int64_t i = 1; i < classes; ++i) best = x[i] > x[best] ? i : best;
      sum -= static_cast<double>(x[best]);
      if (best != classes - 1 && !(merge && best == previous)) to[found++] = best;
      previous = best;
    }
    for (; found < steps; ++found) to[found] = -1;
    y[row] = static_cast<T>(sum);
  }
};

template <class T>
std::unique_ptr<Step> greedy_step(const Binding& binding, const cpu::DecodePlan& plan) {
  return make_checked_step(
      binding,
      [=](const Queue& queue, const Operands& operands) {
        const Integers row_steps = check_steps(queue, plan, operands);
        each(queue, plan.batch,
             GreedyDecode<T>{plan.steps, plan.classes, plan.merge, input<T>(operands, 0), row_steps,
                             output<int64_t>(operands, 0), output<T>(operands, 1), operands.fault});
      },
      kNeeds);
}

std::unique_ptr<Step> bind_greedy(Binding& binding) {
  const cpu::DecodePlan plan = cpu::plan_greedy_decode(binding);
  return plan.logits_dtype == DType::kFloat32 ? greedy_step<float>(binding, plan)
                                              : greedy_step<double>(binding, plan);
}

// --- beam search ---

SYMK_HD double log_sum(double a, double b) {
  const double larger = a < b ? b : a, smaller = b < a ? b : a;
  return larger == kNever ? kNever : larger + math::log1p(math::exp(smaller - larger));
}

/// A number for a total, in their order; 0 for what is not above kNever.
SYMK_HD uint64_t key_of(double total) {
  if (!(total > kNever)) return 0;
  const auto bits = static_cast<uint64_t>(math::bits(total + 0.0));  // no negative zero
  const uint64_t sign = uint64_t{1} << 63;
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

/// Beginnings of the labels: the logarithms of the probabilities that one ends with a blank, with
/// its last label, and of both together; its node, the node without its last label, and that label,
/// -1 for the root.
struct Beam {
  double *blank, *label, *total;
  int32_t *node, *before, *last;
};

/// A memory that is handed out piece by piece.
struct Pieces {
  char* next;
  template <class T>
  SYMK_HD T* take(int64_t count) {
    T* const taken = reinterpret_cast<T*>(next);
    next += count * static_cast<int64_t>(sizeof(T));
    return taken;
  }
};

/// What the threads of a block know of a row. What becomes of a beam is numbered as the CPU makes
/// it: first each beginning as it stays, then each with each class behind it.
class Search {
 public:
  /// What `Search` takes.
  static int64_t bytes(const cpu::BeamPlan& plan) {
    const int64_t wide = checked_multiply(plan.width, 6 * 8 + 2 * 8 + 3 * 8 + 6 * 4);
    const int64_t longer = checked_multiply(checked_multiply(plan.width, plan.classes), 4);
    const int64_t rest = checked_add(checked_multiply(plan.nodes, 3 * 4), plan.classes * 8);
    return aligned_size(checked_add(checked_add(wide, longer), rest));
  }

  SYMK_HD Search(const cpu::BeamPlan& plan, char* memory)
      : width_(plan.width), classes_(plan.classes) {
    Pieces pieces = {memory};
    take_totals(pieces, beam_);
    take_totals(pieces, next_);
    stayed_blank_ = pieces.take<double>(width_);
    stayed_label_ = pieces.take<double>(width_);
    stayed_total_ = pieces.take<double>(width_);
    kept_total_ = pieces.take<double>(width_);
    kept_number_ = pieces.take<int64_t>(width_);
    scores_ = pieces.take<double>(classes_);
    take_links(pieces, beam_);
    take_links(pieces, next_);
    before_ = pieces.take<int32_t>(plan.nodes);
    label_ = pieces.take<int32_t>(plan.nodes);
    place_ = pieces.take<int32_t>(plan.nodes);
    longer_ = pieces.take<int32_t>(width_ * classes_);
    each_of(width_ * classes_, [&](int64_t i) { longer_[i] = -1; });
    if (threadIdx.x == 0) {
      add_node(0, -1, -1);
      set(beam_, 0, {0, kNever, 0}, 0, -1, -1);
    }
    __syncthreads();
  }

  /// `number`: how many steps were before.
  template <class T>
  SYMK_HD void step(const T* logits, int64_t number) {
    read_scores(logits);
    each_of(size_, [&](int64_t i) { place_[beam_.node[i]] = static_cast<int32_t>(i); });
    __syncthreads();
    mark_ = static_cast<int32_t>(number);
    each_of(size_, [&](int64_t i) { stay(i); });
    __syncthreads();
    each_of(size_, [&](int64_t i) { place_[beam_.node[i]] = -1; });
    const int64_t kept = keep(find_cut());
    const auto first_node = static_cast<int32_t>(1 + number * width_);
    each_of(kept, [&](int64_t i) { make_next(i, kept, first_node); });
    __syncthreads();
    const Beam old = beam_;
    beam_ = next_;
    next_ = old;
    size_ = kept;
  }

  SYMK_HD double total(int64_t path) const { return path < size_ ? beam_.total[path] : kNever; }

  /// Writes the labels of a path, padded with -1; one thread does.
  SYMK_HD void write(int64_t path, bool merge, int64_t* to, int64_t places) const {
    const int32_t node = path < size_ ? beam_.node[path] : 0;
    int64_t count = 0;
    for (int32_t at = node; before_[at] >= 0; at = before_[at]) count += is_written(at, merge);
    for (int64_t i = count; i < places; ++i) to[i] = -1;
    for (int32_t at = node; before_[at] >= 0; at = before_[at]) {
      if (is_written(at, merge)) to[--count] = label_[at];
    }
  }

 private:
  struct Totals {
    double blank, label, total;
  };
  /// The key of the last that are kept, and how many of its equals are.
  struct Cut {
    uint64_t key;
    int64_t equals;
  };

  SYMK_HD void take_totals(Pieces& pieces, Beam& beam) const {
    beam.blank = pieces.take<double>(width_);
    beam.label = pieces.take<double>(width_);
    beam.total = pieces.take<double>(width_);
  }
  SYMK_HD void take_links(Pieces& pieces, Beam& beam) const {
    beam.node = pieces.take<int32_t>(width_);
    beam.before = pieces.take<int32_t>(width_);
    beam.last = pieces.take<int32_t>(width_);
  }

  template <class F>
  SYMK_HD static void each_of(int64_t count, const F& f) {
    for (int64_t i = threadIdx.x; i < count; i += kFoldThreads) f(i);
  }

  SYMK_HD bool is_written(int32_t node, bool merge) const {
    return !merge || label_[before_[node]] != label_[node];
  }

  SYMK_HD void add_node(int32_t node, int32_t before, int32_t label) const {
    before_[node] = before;
    label_[node] = label;
    place_[node] = -1;
  }

  SYMK_HD static void set(const Beam& beam, int64_t i, const Totals& totals, int32_t node,
                          int32_t before, int32_t last) {
    beam.blank[i] = totals.blank;
    beam.label[i] = totals.label;
    beam.total[i] = totals.total;
    beam.node[i] = node;
    beam.before[i] = before;
    beam.last[i] = last;
  }

  /// log_softmax of the logits of a step.
  template <class T>
  SYMK_HD void read_scores(const T* logits) const {
    double largest = kNever, sum = 0;
    for (int64_t i = threadIdx.x; i < classes_; i += kFoldThreads)
      largest = Max<double>::fold(largest, static_cast<double>(logits[i]));
    largest = fold_block<Max<double>>(largest);
    for (int64_t i = threadIdx.x; i < classes_; i += kFoldThreads)
      sum += math::exp(static_cast<double>(logits[i]) - largest);
    const double all = largest + math::log(fold_block<Sum<double>>(sum));
    each_of(classes_, [&](int64_t i) { scores_[i] = static_cast<double>(logits[i]) - all; });
  }

  /// What beginning i becomes if no label is added: a blank comes, or its last label again, or the
  /// one without that label grows into it, which then is no longer one that grows.
  SYMK_HD void stay(int64_t i) const {
    double reached = kNever;
    const int32_t before = beam_.before[i], last = beam_.last[i];
    if (before >= 0) {
      reached = beam_.label[i];
      const int32_t at = place_[before];
      if (at >= 0) {
        longer_[at * classes_ + last] = mark_;
        const double* const from = beam_.last[at] == last ? beam_.blank : beam_.total;
        reached = log_sum(reached, from[at]);
      }
      reached = reached + scores_[last];
    }
    stayed_blank_[i] = beam_.total[i] + scores_[classes_ - 1];
    stayed_label_[i] = reached;
    stayed_total_[i] = log_sum(stayed_blank_[i], reached);
  }

  SYMK_HD int64_t candidates() const { return size_ * classes_; }

  /// The total of a candidate; kNever for one that the beam has already.
  SYMK_HD double total_of(int64_t number) const {
    if (number < size_) return stayed_total_[number];
    const int64_t from = (number - size_) / (classes_ - 1);
    const int64_t label = (number - size_) % (classes_ - 1);
    if (longer_[from * classes_ + label] == mark_) return kNever;
    return scores_[label] + (label == beam_.last[from] ? beam_.blank[from] : beam_.total[from]);
  }

  /// The key of which as many are above as are wanted, or 0 where there are fewer: eight bits at a
  /// time, from the highest on, by how many candidates have which.
  SYMK_HD Cut find_cut() const {
    __shared__ unsigned counts[kFoldThreads];
    __shared__ Cut found;
    Cut cut = {0, width_};
    const auto thread = static_cast<int>(threadIdx.x);
    for (int shift = 56; shift >= 0; shift -= 8) {
      counts[thread] = 0;
      __syncthreads();
      each_of(candidates(), [&](int64_t i) {
        const uint64_t key = key_of(total_of(i));
        const bool agrees = shift == 56 || key >> (shift + 8) == cut.key >> (shift + 8);
        if (key != 0 && agrees) atomicAdd(&counts[key >> shift & 255], 1u);
      });
      __syncthreads();
      int64_t above = 0;
      for (int digit = thread + 1; digit < kFoldThreads; ++digit) above += counts[digit];
      if (above < cut.equals && (thread == 0 || above + counts[thread] >= cut.equals)) {
        found.key = cut.key | static_cast<uint64_t>(thread) << shift;
        found.equals = cut.equals - above;
      }
      __syncthreads();
      cut = found;
    }
    return cut;
  }

  /// Lists the candidates above the cut, and the first of those at it. Returns how many they are.
  SYMK_HD int64_t keep(const Cut& cut) const {
    __shared__ int64_t above[kFoldThreads], at[kFoldThreads];
    const int64_t run = (candidates() + kFoldThreads - 1) / kFoldThreads, first = threadIdx.x * run;
    const int64_t last = first + run < candidates() ? first + run : candidates();
    int64_t own_above = 0, own_at = 0;
    for (int64_t i = first; i < last; ++i) {
      const uint64_t key = key_of(total_of(i));
      own_above += key > cut.key;
      own_at += key == cut.key && key != 0;
    }
    above[threadIdx.x] = own_above;
    at[threadIdx.x] = own_at;
    __syncthreads();
    int64_t above_before = 0, at_before = 0, all_above = 0, all_at = 0;
    for (int k = 0; k < kFoldThreads; ++k) {
      if (k == static_cast<int>(threadIdx.x)) {
        above_before = all_above;
        at_before = all_at;
      }
      all_above += above[k];
      all_at += at[k];
    }
    for (int64_t i = first; i < last; ++i) {
      const double total = total_of(i);
      const uint64_t key = key_of(total);
      const bool is_equal = key == cut.key && key != 0;
      if (key > cut.key || (is_equal && at_before < cut.equals)) {
        const int64_t to = above_before + (at_before < cut.equals ? at_before : cut.equals);
        kept_total_[to] = total;
        kept_number_[to] = i;
      }
      above_before += key > cut.key;
      at_before += is_equal;
    }
    __syncthreads();
    return all_above + (all_at < cut.equals ? all_at : cut.equals);
  }

  /// Puts one of those that are kept where its total belongs. A new node has a number of its own.
  SYMK_HD void make_next(int64_t i, int64_t kept, int32_t first_node) const {
    const double total = kept_total_[i];
    const int64_t number = kept_number_[i];
    int64_t place = 0;
    for (int64_t other = 0; other < kept; ++other)
      place += kept_total_[other] > total ||
               (kept_total_[other] == total && kept_number_[other] < number);
    if (number < size_) {
      set(next_, place, {stayed_blank_[number], stayed_label_[number], total}, beam_.node[number],
          beam_.before[number], beam_.last[number]);
      return;
    }
    const int64_t from = (number - size_) / (classes_ - 1);
    const auto label = static_cast<int32_t>((number - size_) % (classes_ - 1));
    const int32_t node = first_node + static_cast<int32_t>(place), before = beam_.node[from];
    add_node(node, before, label);
    set(next_, place, {kNever, total, total}, node, before, label);
  }

  const int64_t width_, classes_;
  Beam beam_, next_;
  double *stayed_blank_, *stayed_label_, *stayed_total_;  // per beginning: see `stay`
  double* kept_total_;                                    // of the candidates that are kept
  int64_t* kept_number_;                                  // and their numbers
  double* scores_;                                        // of a step, per class
  int32_t *before_, *label_, *place_;                     // per node; place in the beam, or -1
  int32_t* longer_;  // per beginning and class: the last step whose beam had it as well
  int64_t size_ = 1;
  int32_t mark_ = 0;
};

template <class T>
struct BeamSearch {
  cpu::BeamPlan plan;
  const T* logits;
  Integers row_steps;
  char* scratch;
  int64_t row_bytes;
  int64_t* labels;
  T* totals;
  const Fault* fault;

  SYMK_HD void operator()(int64_t row) const {
    if (fault->rank != 0) return;
    Search search(plan, scratch + row * row_bytes);
    const int64_t steps = row_steps[row];
    for (int64_t step = 0; step < steps; ++step)
      search.step(logits + (row * plan.steps + step) * plan.classes, step);
    for (int64_t path = threadIdx.x; path < plan.paths; path += kFoldThreads) {
      const int64_t place = row * plan.paths + path;
      search.write(path, plan.merge, labels + place * plan.steps, plan.steps);
      totals[place] = static_cast<T>(search.total(path));
    }
  }
};

template <class T>
std::unique_ptr<Step> beam_step(Binding& binding, const cpu::BeamPlan& plan) {
  const int64_t row_bytes = Search::bytes(plan);
  binding.need_scratch(checked_multiply(row_bytes, plan.batch));
  return make_checked_step(
      binding,
      [=](const Queue& queue, const Operands& operands) {
        const Integers row_steps = check_steps(queue, plan, operands);
        blocks(queue, plan.batch, kFoldThreads, 0,
               BeamSearch<T>{plan, input<T>(operands, 0), row_steps,
                             static_cast<char*>(operands.scratch), row_bytes,
                             output<int64_t>(operands, 0), output<T>(operands, 1), operands.fault});
      },
      kNeeds);
}

/// Candidates are counted in 31 bits; the host counts further.
std::unique_ptr<Step> bind_beam_search(Binding& binding) {
  const cpu::BeamPlan plan = cpu::plan_beam_search(binding);
  if (checked_multiply(plan.width, plan.classes) > INT32_MAX) return nullptr;
  return plan.logits_dtype == DType::kFloat32 ? beam_step<float>(binding, plan)
                                              : beam_step<double>(binding, plan);
}

const KernelEntry entries[] = {
    {"ctc_greedy_decode", bind_greedy, Empty::kRuns},
    {"ctc_beam_search", bind_beam_search, Empty::kRuns},
};

}  // namespace
}  // namespace symk::cuda
