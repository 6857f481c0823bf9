// Memory is cut where any stretch begins or ends. A cell remembers who wrote it last and who has
// read it since: whoever comes next depends on those alone.
#include "cuda/dependencies.h"

#include <algorithm>
#include <map>

namespace symk::cuda {
namespace {

struct Cell {
  std::vector<size_t> writer;  // one or none
  std::vector<size_t> readers;
};

class Spaces {
 public:
  void cut(const std::vector<Span>& spans) {
    for (const Span& span : spans) {
      std::vector<int64_t>& cuts = spaces_[span.space].cuts;
      cuts.insert(cuts.end(), {span.begin, span.end});
    }
  }
  void finish_cutting() {
    for (auto& [name, space] : spaces_) {
      std::sort(space.cuts.begin(), space.cuts.end());
      space.cuts.erase(std::unique(space.cuts.begin(), space.cuts.end()), space.cuts.end());
      space.cells.resize(space.cuts.size());
    }
  }
  /// f(cell) for all that a span covers.
  template <class F>
  void each(const std::vector<Span>& spans, const F& f) {
    for (const Span& span : spans) {
      Space& space = spaces_[span.space];
      const auto first = std::lower_bound(space.cuts.begin(), space.cuts.end(), span.begin);
      for (auto i = static_cast<size_t>(first - space.cuts.begin()); space.cuts[i] < span.end; ++i)
        f(space.cells[i]);
    }
  }

 private:
  struct Space {
    std::vector<int64_t> cuts;
    std::vector<Cell> cells;  // that begin there
  };
  std::map<const void*, Space> spaces_;
};

}  // namespace

std::vector<std::vector<size_t>> dependencies(const std::vector<const Touched*>& steps) {
  Spaces spaces;
  for (const Touched* step : steps) {
    spaces.cut(step->read);
    spaces.cut(step->written);
  }
  spaces.finish_cutting();
  std::vector<std::vector<size_t>> all(steps.size());
  for (size_t i = 0; i < steps.size(); ++i) {
    std::vector<size_t>& own = all[i];
    const auto depend_on = [&](const std::vector<size_t>& others) {
      own.insert(own.end(), others.begin(), others.end());
    };
    spaces.each(steps[i]->read, [&](const Cell& cell) { depend_on(cell.writer); });
    spaces.each(steps[i]->written, [&](const Cell& cell) {
      depend_on(cell.writer);
      depend_on(cell.readers);
    });
    spaces.each(steps[i]->read, [&](Cell& cell) { cell.readers.push_back(i); });
    spaces.each(steps[i]->written, [&](Cell& cell) { cell = {{i}, {}}; });
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
  }
  return all;
}

}  // namespace symk::cuda
