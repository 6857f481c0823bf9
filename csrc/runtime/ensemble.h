// One function on several devices: sections, each a Program on a device of its own, which hand
// values on to each other. docs/cuda.md has the picture. The host asks each device for its sections
// in turn and waits for none of them, but where a section of the host needs a value of a device.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/batch.h"
#include "runtime/program.h"

namespace symk {

class EnsembleBatch;

class Ensemble {
 public:
  /// Where an input of a section comes from: values are numbered, first the arrays of a call, then
  /// the outputs of the sections in their order. One that no step reads is there for its sizes.
  struct Source {
    uint32_t value = 0;
    bool is_read = true;
  };
  struct Section {
    Program* program = nullptr;
    std::vector<Source> inputs;  // per input of its Plan
  };

  /// The Programs must live as long as the Ensemble. `arrays` is how many a call has, `outputs` are
  /// the values that it gives. Sections read what earlier ones make. Throws Error(kArgument) where
  /// that is not so.
  Ensemble(std::vector<Section> sections, size_t arrays, std::vector<uint32_t> outputs);

  size_t arrays() const { return arrays_; }
  const Program& first() const { return *sections_.front().program; }

  /// Whether anything of a later call can move to a device ahead of it.
  bool moves_ahead() const;
  /// Per section, whether it runs when a batch is filled, ahead of the call.
  std::vector<bool> ahead() const;
  /// The arrays of a call. What devices need of them, and what the host makes of them alone, begins
  /// to move there; `stay` says whether the arrays are where they are until the call has been made.
  /// Throws what the sections of the host throw that run ahead.
  std::unique_ptr<Batch> prefetch(const Shape* shapes, const void* const* arrays, bool stay);
  /// Keeps the memory of a batch that has been run.
  void take_back(std::unique_ptr<Batch> batch) noexcept { spare_.keep(std::move(batch)); }

 private:
  friend class EnsembleBatch;
  friend class EnsembleCall;

  static constexpr int kNowhere = -2;
  /// Where a value is for a section: an array of the call, or in what a section has staged.
  struct Place {
    int section = -1;
    size_t number = 0;
  };
  /// A section as it is run. It stages the values that arrive from elsewhere, then its outputs.
  struct Member {
    Program* program = nullptr;
    std::vector<Source> sources;     // as given
    std::vector<Place> places;       // per input of its Plan
    std::vector<uint32_t> arrivals;  // values
    size_t early_count = 0;          // how many of them, the first ones, are known ahead
    size_t output_count = 0;
    uint32_t first_output = 0;  // the number of its first output among the values
    bool is_awaited = false;    // whether another device reads its outputs
    bool runs_ahead = false;    // whether the arrays alone decide what it makes, and nothing else
  };

  Device& device_of(const Member& member) const { return member.program->device(); }
  void require(const Section& section, uint32_t known) const;
  void find_places(Member& member);
  void find_kept();
  bool can_run_ahead(const Member& member) const;
  bool is_known_ahead(uint32_t value) const;
  bool comes_before(uint32_t one, uint32_t other) const;
  Place find_on(Device& device, uint32_t value) const;
  size_t position_of(const Member& member, uint32_t value) const;
  static std::vector<Shape> input_shapes(const Member& member, const std::vector<Type>& types);

  std::vector<Member> sections_;
  size_t arrays_;
  std::vector<Place> homes_;  // per value
  std::vector<uint32_t> outputs_;
  std::vector<uint32_t> kept_;    // values that a batch has on the host alone
  std::vector<Device*> devices_;  // each once, but the host
  TensorLocks locks_;
  SpareBatches spare_;
};

/// One call, as a `Call` of one Program.
class EnsembleCall {
 public:
  /// For the arrays of a batch, which must be this Ensemble's and stay until the call has run.
  /// Binds all sections: what fails for these shapes fails here.
  EnsembleCall(Ensemble& ensemble, const Batch& batch);

  const std::vector<Type>& outputs() const { return output_types_; }

  /// As `Call::run`.
  void run(void* const* outputs);

 private:
  /// A section in this call; without a binding where it ran ahead.
  struct Part {
    ~Part() {
      if (context != nullptr) program->give_back(std::move(context));
    }
    Program* program = nullptr;
    std::unique_ptr<Context> context;
    Bound* bound = nullptr;
    std::vector<int64_t> offsets;  // of arrivals and outputs in what is staged
    char* staged = nullptr;
    bool is_pinned = false;      // whether it is memory of the host that devices reach
    std::unique_ptr<Mark> done;  // null where no other device waits for it
    bool is_looked_at = true;    // whether Faults of it are known
  };

  void bind(size_t section);
  void stage(size_t section);
  void run_sections(void* const* outputs);
  void run_section(size_t section);
  void bring_arrivals(size_t section);
  bool lies_behind(size_t section, size_t arrival) const;
  void move(const Part& to, void* target, const Part& from, const void* source, int64_t bytes);
  void look_at_all();
  void fetch_outputs(void* const* outputs);
  void settle() noexcept;
  char* address_of(const Ensemble::Place& place) const;

  Ensemble& ensemble_;
  const EnsembleBatch& batch_;  // what was sent and made ahead
  std::vector<Part> parts_;     // per section
  std::vector<Type> types_;     // per value
  std::vector<Type> output_types_;
};

}  // namespace symk
