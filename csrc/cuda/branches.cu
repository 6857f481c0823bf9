// Launches are dealt out as by a list scheduler, which looks at a timetable of those before.
#include "cuda/branches.h"

#include <algorithm>
#include <functional>

#include "cuda/dependencies.h"

namespace symk::cuda {
namespace {

// What is known of launches in a replayed graph, roughly: from one to the next in a branch, and as
// much again across branches.
constexpr int64_t kNext_ns = 1000, kAcross_ns = 1000;
// A launch changes its branch to begin so much earlier; less may be lost again.
constexpr int64_t kWorth_ns = 2000;
// Launches may run beside so many before them: what is further apart costs memory, and time here.
constexpr size_t kReach = 64;

/// The launches from one fence to the next.
class Dealer {
 public:
  Dealer(const std::vector<Launch>& launches, const std::vector<std::vector<size_t>>& needed,
         size_t first, std::vector<Turn>& turns, std::vector<Ended>& ended)
      : launches_(launches), needed_(needed), first_(first), turns_(turns), ended_(ended) {
    last_.fill(-1);
  }

  void deal(size_t number) {
    Choice best;
    for (int branch = 0; branch < kMostBranches; ++branch) {
      const Choice choice = choose(number, branch);
      if (branch == 0 || choice.cost < best.cost) best = choice;
      if (last_[branch] < 0) break;  // empty ones are alike
    }
    place(number, best);
    wait(number);
  }

  /// When the last one ends, from the fence on.
  int64_t time_ns() const {
    int64_t time = 0;
    for (const Slot& slot : slots_) time = std::max(time, slot.end);
    return time;
  }

 private:
  struct Choice {
    int branch = 0;
    int64_t begin = 0, end = 0, cost = 0;
  };
  struct Slot {
    int64_t begin = 0, end = 0;
    int64_t share = 0;  // while it lasts
  };

  const Slot& slot(size_t number) const { return slots_[number - first_]; }

  Choice choose(size_t number, int branch) const {
    Choice choice;
    choice.branch = branch;
    int home = 0;
    int64_t latest = 0;
    for (const size_t needed : needed_[number]) {
      if (needed < first_) continue;
      const int from = turns_[needed].branch;
      const int64_t across = from == branch ? 0 : kAcross_ns;
      choice.begin = std::max(choice.begin, slot(needed).end + kNext_ns + across);
      if (slot(needed).end >= latest) home = from;
      latest = std::max(latest, slot(needed).end);
    }
    if (last_[branch] >= 0) {
      const Slot& before = slot(static_cast<size_t>(last_[branch]));
      choice.begin = std::max(choice.begin, before.end + kNext_ns);
    }
    choice.begin = std::max(choice.begin, reached_);
    const Load& load = launches_[number].load;
    if (load.together) {
      choice.begin = find_room(load, choice.begin);
      choice.end = choice.begin + load.time_ns;
    } else {
      choice.end = find_end(load, choice.begin);
    }
    choice.cost = choice.end + (branch == home ? 0 : kWorth_ns);
    return choice;
  }

  size_t first_in_reach() const { return slots_.size() < kReach ? 0 : slots_.size() - kReach; }

  /// The first time from `begin` on at which the device has room for all of a launch.
  int64_t find_room(const Load& load, int64_t begin) const {
    while (true) {
      int64_t share = load.share, next = INT64_MAX;
      for (size_t i = first_in_reach(); i < slots_.size(); ++i) {
        if (slots_[i].end <= begin || slots_[i].begin >= begin + load.time_ns) continue;
        share += slots_[i].share;
        next = std::min(next, slots_[i].end);
      }
      if (share <= Load::kWhole || next == INT64_MAX) return begin;
      begin = next;
    }
  }

  /// When a launch ends that takes what others leave of the device.
  int64_t find_end(const Load& load, int64_t begin) const {
    int64_t missing = load.time_ns * load.share;
    while (true) {
      int64_t rest = Load::kWhole, next = INT64_MAX;
      for (size_t i = first_in_reach(); i < slots_.size(); ++i) {
        if (slots_[i].end <= begin) continue;
        if (slots_[i].begin <= begin) rest -= slots_[i].share;
        next = std::min(next, slots_[i].begin <= begin ? slots_[i].end : slots_[i].begin);
      }
      const int64_t share = std::min<int64_t>(load.share, std::max<int64_t>(rest, 0));
      if (next == INT64_MAX || share * (next - begin) >= missing)
        return begin + missing / std::max<int64_t>(share, 1);
      missing -= share * (next - begin);
      begin = next;
    }
  }

  void place(size_t number, const Choice& choice) {
    const Load& load = launches_[number].load;
    const int64_t time = std::max<int64_t>(choice.end - choice.begin, 1);
    slots_.push_back({choice.begin, choice.end, load.share * load.time_ns / time});
    if (slots_.size() > kReach)
      reached_ = std::max(reached_, slots_[slots_.size() - kReach - 1].end);
    turns_[number].branch = choice.branch;
  }

  /// What a launch waits for: what it needs and does not know to have ended, the latest first,
  /// since that has waited for others.
  void wait(size_t number) {
    ended_[number].fill(static_cast<int64_t>(first_) - 1);
    const int64_t before = last_[turns_[number].branch];
    if (before >= 0) learn(number, static_cast<size_t>(before));
    const std::vector<size_t>& needed = needed_[number];
    for (auto one = needed.rbegin(); one != needed.rend(); ++one) require(number, *one);
    if (launches_[number].load.together) make_room(number);
    last_[turns_[number].branch] = static_cast<int64_t>(number);
  }

  bool knows(size_t number, size_t other) const {
    return static_cast<int64_t>(other) <= ended_[number][turns_[other].branch];
  }

  void require(size_t number, size_t needed) {
    if (knows(number, needed)) return;
    turns_[number].after.push_back(needed);
    turns_[needed].awaited = true;
    learn(number, needed);
  }

  void learn(size_t number, size_t other) {
    Ended& ended = ended_[number];
    for (int i = 0; i < kMostBranches; ++i) ended[i] = std::max(ended[i], ended_[other][i]);
    int64_t& last = ended[turns_[other].branch];
    last = std::max(last, static_cast<int64_t>(other));
  }

  /// Blocks that wait for each other must not have to share the device with more of that kind than
  /// it holds: with some of each there, none would ever end.
  void make_room(size_t number) {
    int share = launches_[number].load.share;
    for (size_t i = number; i-- > first_;) {
      const Load& load = launches_[i].load;
      if (!load.together || knows(number, i)) continue;
      if (share + load.share > Load::kWhole) {
        require(number, i);
      } else {
        share += load.share;
      }
    }
  }

  const std::vector<Launch>& launches_;
  const std::vector<std::vector<size_t>>& needed_;
  const size_t first_;
  std::vector<Turn>& turns_;
  std::vector<Ended>& ended_;
  std::vector<Slot> slots_;                       // of the launches from the first on
  std::array<int64_t, kMostBranches> last_ = {};  // per branch: its last launch, or -1
  int64_t reached_ = 0;                           // when all out of reach have ended
};

/// What launches take one after the other.
int64_t time_in_turn(const std::vector<Launch>& launches, size_t first, size_t last) {
  int64_t time = 0;
  for (size_t i = first; i < last; ++i)
    time += launches[i].load.time_ns + (i > first ? kNext_ns : 0);
  return time;
}

/// Whether a forked graph is worth more than one in a line, which is begun faster: by a 32nd of its
/// time, and by more than an edge or two may cost beyond what is known of them.
bool is_worth(int64_t time, int64_t in_turn) {
  return in_turn - time > std::max<int64_t>(in_turn / 32, 5000);
}

/// That of a launch which does little but read and write.
Load load_of_moving(int64_t bytes) {
  constexpr int64_t start_ns = 1500;
  constexpr int64_t bytes_per_us = 2800000;     // of 3.35 TB/s, which an H100 has
  constexpr int64_t bytes_in_flight = 4300000;  // 32 KB for each of 132 processors
  Load load;
  load.time_ns = start_ns + bytes * 1000 / bytes_per_us;
  const int64_t share = bytes * Load::kWhole / bytes_in_flight;
  load.share = static_cast<int>(std::min<int64_t>(std::max<int64_t>(share, 20), Load::kWhole));
  return load;
}

}  // namespace

Branches::Branches(const std::vector<Launch>& launches)
    : turns_(launches.size()), ended_(launches.size()) {
  std::vector<const Touched*> touched;
  for (const Launch& launch : launches) touched.push_back(&launch.touched);
  const std::vector<std::vector<size_t>> needed = dependencies(touched);
  for (size_t first = 0, last = 0; first < launches.size(); first = last) {
    Dealer dealer(launches, needed, first, turns_, ended_);
    do {
      dealer.deal(last++);
    } while (last < launches.size() && !launches[last].fence);
    const int64_t in_turn = time_in_turn(launches, first, last), time = dealer.time_ns();
    if (is_worth(time, in_turn)) {
      time_ns_ += time;
    } else {
      stay_in_turn(first, last);
      time_ns_ += in_turn;
    }
  }
}

void Branches::stay_in_turn(size_t first, size_t last) {
  for (size_t i = first; i < last; ++i) {
    turns_[i] = Turn();
    ended_[i].fill(static_cast<int64_t>(first) - 1);
    ended_[i][0] = static_cast<int64_t>(i) - 1;
  }
}

bool Branches::is_forked() const {
  const auto is_aside = [](const Turn& turn) { return turn.branch > 0; };
  return std::any_of(turns_.begin(), turns_.end(), is_aside);
}

void Branches::note(size_t launch, Usage& use) const {
  use.first = std::min(use.first, launch);
  if (launch == turns_.size()) {
    use.to_end = true;
  } else {
    use.last[turns_[launch].branch] = static_cast<int64_t>(launch);
  }
}

bool Branches::ends_before(const Usage& one, const Usage& other) const {
  if (one.to_end) return false;
  if (other.first == turns_.size()) return true;
  const Ended& ended = ended_[other.first];
  for (int branch = 0; branch < kMostBranches; ++branch) {
    if (one.last[branch] > ended[branch]) return false;
  }
  return true;
}

// --- launches and their memory ---

namespace {

// The arena may become larger by so much, or by an eighth, so that launches run beside each other.
constexpr int64_t kMoreBytes = int64_t{32} << 20;
constexpr int64_t kMorePart = 8;

/// The piece that a span is, or -1.
int64_t piece_of(const std::vector<Piece>& pieces, const Span& span) {
  const auto* const piece = static_cast<const Piece*>(span.space);
  const std::less<const Piece*> before;
  const bool is_one = !before(piece, pieces.data()) && before(piece, pieces.data() + pieces.size());
  return is_one ? piece - pieces.data() : -1;
}

struct Dealt {
  Branches branches;
  int sharers;
};

/// Whole or by halves, whichever takes less time.
Dealt deal(std::vector<Launch> launches) {
  int64_t together = 0;
  for (Launch& launch : launches) {
    if (launch.load.time_ns == 0) launch.load = launch.halved = load_of_moving(launch.bytes);
    together += launch.load.together;
  }
  Dealt whole = {Branches(launches), 1};
  if (together < 2) return whole;
  for (Launch& launch : launches) launch.load = launch.halved;
  Dealt halves = {Branches(launches), 2};
  return halves.branches.time_ns() < whole.branches.time_ns() ? halves : whole;
}

std::vector<Usage> usages(const Launches& launches, const Branches& branches) {
  std::vector<Usage> uses(launches.pieces.size());
  const size_t count = launches.all.size();
  for (size_t i = 0; i < count; ++i) {
    const Touched& touched = launches.all[i].touched;
    for (const std::vector<Span>* spans : {&touched.read, &touched.written}) {
      for (const Span& span : *spans) {
        const int64_t piece = piece_of(launches.pieces, span);
        if (piece >= 0) branches.note(i, uses[static_cast<size_t>(piece)]);
      }
    }
  }
  for (size_t i = 0; i < uses.size(); ++i) {
    const Piece& piece = launches.pieces[i];
    // What no launch uses, those before them do.
    const bool is_early = piece.first < launches.end && uses[i].first == SIZE_MAX;
    if (is_early || i == launches.always) branches.note(0, uses[i]);
    if (piece.last == launches.end) branches.note(count, uses[i]);
  }
  return uses;
}

/// The same launches, which touch bytes of the arena in place of pieces.
std::vector<Launch> at_their_places(const Launches& launches) {
  std::vector<Launch> all = launches.all;
  for (Launch& launch : all) {
    for (std::vector<Span>* spans : {&launch.touched.read, &launch.touched.written}) {
      for (Span& span : *spans) {
        const int64_t number = piece_of(launches.pieces, span);
        if (number < 0) continue;
        const Piece& piece = launches.pieces[static_cast<size_t>(number)];
        span = {launches.pieces.data(), piece.offset, piece.offset + piece.bytes};
      }
    }
  }
  return all;
}

}  // namespace

Arrangement arrange(const Launches& launches) {
  Arrangement made;
  Dealt dealt = deal(launches.all);
  if (!dealt.branches.is_forked()) return made;
  std::vector<Piece> pieces = launches.pieces;
  const std::vector<Usage> uses = usages(launches, dealt.branches);
  made.bytes =
      place(pieces, [&](size_t a, size_t b) { return dealt.branches.together(uses[a], uses[b]); });
  if (made.bytes - launches.bytes > std::max(kMoreBytes, launches.bytes / kMorePart)) {
    dealt = deal(at_their_places(launches));
    if (!dealt.branches.is_forked()) return {};
    made.bytes = launches.bytes;
    pieces = launches.pieces;
  }
  for (const Piece& piece : pieces) made.offsets.push_back(piece.offset);
  made.turns = dealt.branches.turns();
  made.sharers = dealt.sharers;
  return made;
}

}  // namespace symk::cuda
