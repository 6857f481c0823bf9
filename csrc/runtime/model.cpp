// Reads a model file: the directory, then the pieces that it names, then what a change of a value
// in one function means for the others.
#include "runtime/model.h"

#include <algorithm>
#include <cstring>

#include "runtime/crc32.h"
#include "runtime/reader.h"
#include "runtime/sizes.h"

namespace symk {
namespace {

constexpr size_t kHeaderBytes = 64;
constexpr uint32_t kVersion = 1;
constexpr size_t kDirectoryEndAt = 24, kChecksumAt = 32;  // in the header

/// The content of one file, layout checked.
class Directory {
 public:
  struct Piece {
    uint64_t offset = 0, bytes = 0;
  };
  struct Value {
    std::string name;
    uint8_t dtype = 0;
    std::vector<uint64_t> shape;
    Piece piece;
    size_t checksum_at = 0;
    uint32_t checksum = 0;
  };
  struct Function {
    std::string name;
    std::vector<uint32_t> values;
    Piece piece;
  };

  explicit Directory(const Bytes& bytes) : bytes_(bytes) {
    Reader read(bytes.data(), directory_bytes());
    read.take(kHeaderBytes);
    metadata = read.list(8, [&] {
      std::string key = read.text();
      return std::make_pair(std::move(key), read.text());
    });
    values = read.list(29, [&] { return value(read); });
    functions = read.list(24, [&] { return function(read); });
    if (read.left() != 0) {
      refuse_plan({"the directory must end with the functions; ", read.left(), " bytes follow."});
    }
    require_places();
  }

  /// The bytes of a value, which its checksum confirms.
  const char* content(const Value& value) const {
    const char* const found = bytes_.data() + value.piece.offset;
    if (crc32(found, value.piece.bytes) == value.checksum) return found;
    refuse_plan(
        {"the checksum of value ", value.name, " must agree with the content; it does not."});
  }

  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<Value> values;
  std::vector<Function> functions;

 private:
  /// Where the directory ends, after a look at the header.
  size_t directory_bytes() {
    Reader read(bytes_.data(), bytes_.count());
    read.take(8);  // the mark, which brought us here
    const auto version = read.number<uint32_t>();
    if (version != kVersion) {
      throw Error(ErrorCode::kFormat, joined({"[load] the version of a model file must be ",
                                              kVersion, "; this one has version ", version,
                                              ". Export it again with this release."}));
    }
    const auto flags = read.number<uint32_t>();
    const auto bytes = read.number<uint64_t>(), end = read.number<uint64_t>();
    const auto checksum = read.number<uint32_t>();
    const char* const reserved = read.take(kHeaderBytes - read.position());
    if (flags != 0 ||
        std::any_of(reserved, bytes_.data() + kHeaderBytes, [](char byte) { return byte != 0; })) {
      refuse_plan({"unused fields of the header must be 0; they are not."});
    }
    if (bytes != bytes_.count() || end < kHeaderBytes || end > bytes) {
      refuse_plan({"the header says ", bytes, " bytes, ", end, " of them directory; ",
                   bytes_.count(), " were given."});
    }
    if (checksum != crc32(bytes_.data() + kHeaderBytes, end - kHeaderBytes)) {
      refuse_plan({"the checksum of the directory must agree with the content; it does not."});
    }
    end_ = end;
    return end;
  }

  static Value value(Reader& read) {
    Value value;
    value.name = read.text();
    value.dtype = read.number<uint8_t>();
    value.shape = read.numbers<uint64_t>();
    value.piece = piece(read);
    value.checksum_at = read.position();
    value.checksum = read.number<uint32_t>();
    return value;
  }

  static Function function(Reader& read) {
    Function function;
    function.name = read.text();
    function.values = read.numbers<uint32_t>();
    function.piece = piece(read);
    return function;
  }

  static Piece piece(Reader& read) {
    Piece piece;
    piece.offset = read.number<uint64_t>();
    piece.bytes = read.number<uint64_t>();
    return piece;
  }

  /// Pieces lie behind the directory in their order and apart, so that a small file cannot hold
  /// much.
  void require_places() const {
    uint64_t end = end_;
    for (const Value& value : values) require_place(value.piece, end, "value " + value.name);
    for (const Function& function : functions)
      require_place(function.piece, end, "function " + function.name);
  }

  void require_place(const Piece& piece, uint64_t& end, const std::string& what) const {
    const bool inside =
        piece.offset <= bytes_.count() && piece.bytes <= bytes_.count() - piece.offset;
    if (!inside || piece.offset % kAlignment != 0 || piece.offset < end) {
      refuse_plan({"pieces must lie behind each other, on multiples of 64; ", what, " has ",
                   piece.bytes, " bytes at ", piece.offset, "."});
    }
    end = piece.offset + piece.bytes;
  }

  const Bytes& bytes_;
  uint64_t end_ = 0;
};

/// Makes a Model of a Directory.
class ModelReader {
 public:
  ModelReader(const Directory& directory, Model& model) : directory_(directory), model_(model) {}

  void read() {
    model_.metadata = directory_.metadata;
    for (const Directory::Value& value : directory_.values) add_value(value);
    for (const Directory::Function& function : directory_.functions) read_plan_of(function);
    if (plans_.empty()) refuse_plan({"a model must have a function; this one has none."});
    for (size_t i = 0; i < model_.values.size(); ++i) {
      if (!changes_[i]) continue;
      ModelValue& value = model_.values[i];
      value.tensor = std::make_shared<Tensor>(value.type);
      std::memcpy(value.tensor->data(), value.data, static_cast<size_t>(value.type.bytes()));
    }
    for (size_t i = 0; i < plans_.size(); ++i) add_function(i);
  }

 private:
  void add_value(const Directory::Value& value) {
    const std::string what = "value " + value.name;
    if (value.dtype >= kDTypeCount || value.shape.size() > kMaxRank)
      refuse_plan({what, " must have a known dtype and at most 8 axes; it has not."});
    ModelValue made;
    made.name = value.name;
    made.type.dtype = static_cast<DType>(value.dtype);
    made.type.rank = static_cast<int>(value.shape.size());
    int64_t bytes = item_bytes(made.type.dtype);
    bool empty = false;
    for (size_t axis = 0; axis < value.shape.size(); ++axis) {
      if (value.shape[axis] > INT64_MAX) refuse_plan({"the sizes of ", what, " do not fit."});
      const auto size = static_cast<int64_t>(value.shape[axis]);
      made.type.shape[axis] = size;
      empty = empty || size == 0;
      if (size > 0) bytes = checked_multiply(bytes, size);
    }
    if (value.piece.bytes != (empty ? 0 : static_cast<uint64_t>(bytes))) {
      refuse_plan({what, " must have the bytes for its shape, ", type_text(made.type), "; it has ",
                   value.piece.bytes, "."});
    }
    made.data = directory_.content(value);
    made.checksum_at = value.checksum_at;
    model_.values.push_back(std::move(made));
    changes_.push_back(false);
  }

  /// The Plan as the file has it, which may say that it changes values.
  void read_plan_of(const Directory::Function& function) {
    const char* const bytes = model_.bytes->data() + function.piece.offset;
    std::unique_ptr<Plan> plan = read_plan_in_place(bytes, function.piece.bytes);
    if (function.values.size() != plan->shared.size()) {
      refuse_plan({"function ", function.name, " must name ", plan->shared.size(),
                   " values; it names ", function.values.size(), "."});
    }
    const std::vector<bool> changed = plan->changed_shared();
    std::vector<bool> used(model_.values.size(), false);
    for (size_t i = 0; i < function.values.size(); ++i) {
      const uint32_t value = function.values[i];
      if (value >= used.size() || used[value]) {
        refuse_plan({"function ", function.name, " must name each value once; ", value,
                     " is another one or none."});
      }
      used[value] = true;
      require_type(bound_type(*plan, plan->shared[i].buffer, plan->known), model_.values[value]);
      if (changed[i]) changes_[value] = true;
    }
    plans_.push_back(std::move(plan));
  }

  static void require_type(const Type& wanted, const ModelValue& value) {
    const Type& type = value.type;
    if (wanted.dtype == type.dtype && wanted.rank == type.rank &&
        std::equal(type.shape, type.shape + type.rank, wanted.shape)) {
      return;
    }
    refuse_plan({"value ", value.name, " must be ", type_text(wanted),
                 " for a function that uses it; it is ", type_text(type), "."});
  }

  void add_function(size_t number) {
    const std::vector<uint32_t>& values = directory_.functions[number].values;
    Plan& plan = *plans_[number];
    ModelFunction made;
    made.name = directory_.functions[number].name;
    std::vector<int64_t> kept;  // the new number of each shared value that stays one, or -1
    std::vector<NamedBuffer> shared;
    for (size_t i = 0; i < values.size(); ++i) {
      const ModelValue& value = model_.values[values[i]];
      kept.push_back(value.tensor ? static_cast<int64_t>(shared.size()) : -1);
      if (value.tensor) {
        shared.push_back({value.name, plan.shared[i].buffer});
        made.tensors.push_back(value.tensor);
      } else {
        make_constant(plan, plan.shared[i].buffer, value);
      }
    }
    plan.shared = std::move(shared);
    renumber(plan, kept);
    made.plan = std::move(plans_[number]);
    model_.functions.push_back(std::move(made));
  }

  static void make_constant(Plan& plan, uint32_t number, const ModelValue& value) {
    Buffer& buffer = plan.buffers[number];
    buffer.kind = Buffer::kConstant;
    buffer.reference = static_cast<int64_t>(plan.constants.size());
    plan.constants.push_back({value.data, value.type.bytes()});
  }

  static void renumber(Plan& plan, const std::vector<int64_t>& kept) {
    for (Buffer& buffer : plan.buffers) {
      if (buffer.kind == Buffer::kShared)
        buffer.reference = kept[static_cast<size_t>(buffer.reference)];
    }
    for (Plan::Update& update : plan.updates)
      update.shared = static_cast<uint32_t>(kept[update.shared]);
  }

  const Directory& directory_;
  Model& model_;
  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<bool> changes_;  // per value: whether a function changes it
};

/// A Plan as a model: the way of what `symk.compile` writes without a file around it.
void read_lone_plan(Model& model) {
  std::unique_ptr<Plan> plan = read_plan_in_place(model.bytes->data(), model.bytes->count());
  if (!plan->shared.empty()) {
    throw Error(
        ErrorCode::kFormat,
        joined({"[load] a Plan without shared values is required; this one has ",
                plan->shared.size(), ". Write it with symk.deploy.export, which adds them."}));
  }
  model.metadata = plan->metadata;
  ModelFunction function;
  function.name = "predict";
  function.plan = std::move(plan);
  model.functions.push_back(std::move(function));
}

void put_number(char* at, uint32_t number) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(number >> (8 * i));
}

/// The bytes of the file with the present values, all from between the same two calls.
Block present_bytes(const Model& model) {
  Block bytes(static_cast<int64_t>(model.bytes->count()));
  std::memcpy(bytes.data(), model.bytes->data(), model.bytes->count());
  std::vector<Tensor*> tensors;
  for (const ModelValue& value : model.values) {
    if (value.tensor) tensors.push_back(value.tensor.get());
  }
  if (tensors.empty()) return bytes;
  std::sort(tensors.begin(), tensors.end());  // the order in which calls lock them
  for (Tensor* tensor : tensors) tensor->lock().lock_shared();
  for (const ModelValue& value : model.values) {
    if (!value.tensor) continue;
    char* const place = bytes.data() + (value.data - model.bytes->data());
    const auto count = static_cast<size_t>(value.type.bytes());
    std::memcpy(place, value.tensor->data(), count);
    put_number(bytes.data() + value.checksum_at, crc32(place, count));
  }
  for (Tensor* tensor : tensors) tensor->lock().unlock_shared();
  Reader header(bytes.data() + kDirectoryEndAt, kHeaderBytes - kDirectoryEndAt);
  const auto end = header.number<uint64_t>();
  put_number(bytes.data() + kChecksumAt, crc32(bytes.data() + kHeaderBytes, end - kHeaderBytes));
  return bytes;
}

}  // namespace

std::shared_ptr<const Model> read_model(std::shared_ptr<const Bytes> bytes) {
  auto model = std::make_shared<Model>();
  model->bytes = std::move(bytes);
  const Bytes& content = *model->bytes;
  if (content.count() < kHeaderBytes || std::memcmp(content.data(), "SYMKFILE", 8) != 0) {
    read_lone_plan(*model);
  } else {
    const Directory directory(content);
    ModelReader(directory, *model).read();
  }
  return model;
}

void write_model(const Model& model, const char* path) {
  const Block bytes = present_bytes(model);
  write_whole_file(path, bytes.data(), static_cast<size_t>(bytes.bytes()));
}

}  // namespace symk
