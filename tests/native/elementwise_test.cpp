// The elementwise program: random programs over random shapes, with outputs over inputs, against an
// evaluation of one element at a time. The loops are the same on both sides; what is tested is
// everything around them. Their arithmetic is the business of math_test.cpp.
#include <cstdio>
#include <random>

#include "cpu/dispatch.h"
#include "cpu/loops.h"
#include "run_kernel.h"

using namespace symk;
using symk::cpu::ElementwiseKernels;
using symk::cpu::Loop;
using symk::test::BoundKernel;
using symk::test::GivenBinding;
using symk::test::type_of;

namespace {

using Bytes = std::vector<char>;
using Shape = std::vector<int64_t>;

const char* const kNames[] = {"float32", "float64", "float16", "int8", "int16",
                              "int32",   "int64",   "uint8",   "bool"};
constexpr DType kAll[] = {DType::kFloat32, DType::kFloat64, DType::kFloat16,
                          DType::kInt8,    DType::kInt16,   DType::kInt32,
                          DType::kInt64,   DType::kUInt8,   DType::kBool};

int64_t product(const Shape& shape) {
  int64_t n = 1;
  for (int64_t size : shape) n *= size;
  return n;
}

DType inside(DType dtype) { return dtype == DType::kFloat16 ? DType::kFloat32 : dtype; }
bool is_float(DType dtype) { return dtype <= DType::kFloat16; }

struct Instruction {
  std::string op;
  DType dtype;
  std::vector<int64_t> args;
};

struct Program {
  Shape shape;
  std::vector<Shape> input_shapes;
  std::vector<DType> dtypes;  // of all values, inputs first
  std::vector<Instruction> instructions;
  std::vector<int64_t> outs;
};

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  int64_t below(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }
  bool chance(int percent) { return below(100) < percent; }

  Program program() {
    Program p;
    p.shape = shape();
    const int64_t inputs = 1 + below(4);
    for (int64_t i = 0; i < inputs; ++i) {
      p.input_shapes.push_back(chance(40) ? p.shape : broadcast_from(p.shape));
      p.dtypes.push_back(chance(50) ? DType::kFloat32 : kAll[below(9)]);
    }
    const int64_t instructions = below(9);
    for (int64_t i = 0; i < instructions; ++i) p.instructions.push_back(instruction(p));
    const int64_t outputs = 1 + below(3);
    for (int64_t i = 0; i < outputs; ++i) {
      const bool last = i == 0 && instructions > 0;
      p.outs.push_back(last ? static_cast<int64_t>(p.dtypes.size()) - 1
                            : below(static_cast<int64_t>(p.dtypes.size())));
    }
    return p;
  }

  /// Small numbers, of which halves are exact.
  Bytes values(DType dtype, int64_t count) {
    Bytes bytes(static_cast<size_t>(count * item_bytes(dtype)));
    for (int64_t i = 0; i < count; ++i) {
      const int value = static_cast<int>(below(9)) - 4;
      char* at = bytes.data() + i * item_bytes(dtype);
      switch (dtype) {
        case DType::kFloat32: put(at, 0.5f * static_cast<float>(value)); break;
        case DType::kFloat64: put(at, 0.5 * value); break;
        case DType::kFloat16: put(at, half_[below(4)]); break;
        case DType::kInt8: put(at, static_cast<int8_t>(value)); break;
        case DType::kInt16: put(at, static_cast<int16_t>(value)); break;
        case DType::kInt32: put(at, static_cast<int32_t>(value)); break;
        case DType::kInt64: put(at, static_cast<int64_t>(value)); break;
        case DType::kUInt8: put(at, static_cast<uint8_t>(value)); break;
        case DType::kBool: put(at, static_cast<uint8_t>(value & 1)); break;
      }
    }
    return bytes;
  }

 private:
  template <class T>
  static void put(char* at, T value) {
    std::memcpy(at, &value, sizeof(T));
  }

  Shape shape() {
    static const int64_t sizes[] = {1, 1, 2, 3, 5, 7, 16, 17, 33, 64};
    Shape s(static_cast<size_t>(below(6)));
    for (int64_t& size : s) size = sizes[below(10)];
    if (chance(4) && !s.empty()) s[0] = 0;
    if (chance(10)) s = {1 + below(4), 20000 + below(30000)};
    if (chance(10)) s = {300 + below(900), 1 + below(2), 1 + below(70)};
    while (product(s) > 200000) s.pop_back();
    return s;
  }

  Shape broadcast_from(Shape s) {
    for (int64_t& size : s) {
      if (chance(45)) size = 1;
    }
    const int64_t dropped = below(static_cast<int64_t>(s.size()) + 1);
    return chance(50) ? s : Shape(s.begin() + dropped, s.end());
  }

  /// A value of the dtype, or of any dtype that fits.
  int64_t pick(const Program& p, DType dtype) {
    std::vector<int64_t> found;
    for (size_t v = 0; v < p.dtypes.size(); ++v) {
      if (p.dtypes[v] == dtype) found.push_back(static_cast<int64_t>(v));
    }
    return found.empty() ? -1
                         : found[static_cast<size_t>(below(static_cast<int64_t>(found.size())))];
  }

  Instruction instruction(Program& p) {
    Instruction made = choose(p);
    p.dtypes.push_back(made.dtype);
    return made;
  }

  Instruction choose(const Program& p) {
    static const char* const unary[] = {"neg",  "abs", "square", "sign",
                                        "relu", "exp", "tanh",   "sin"};
    static const char* const binary[] = {"add",     "sub", "mul",      "maximum",
                                         "minimum", "mod", "floor_div"};
    static const char* const tests[] = {"less", "equal", "greater_equal", "not_equal"};
    const int64_t a = below(static_cast<int64_t>(p.dtypes.size()));
    const DType dtype = p.dtypes[static_cast<size_t>(a)];
    const int64_t condition = pick(p, DType::kBool);
    if (chance(15)) return {"cast", kAll[below(9)], {a}};
    if (condition >= 0 && chance(30)) return {"where", dtype, {condition, a, pick(p, dtype)}};
    if (dtype == DType::kBool)
      return {chance(50) ? "logical_and" : "logical_xor", dtype, {a, condition}};
    if (chance(30)) return {tests[below(4)], DType::kBool, {a, pick(p, dtype)}};
    if (chance(50)) return {unary[below(is_float(dtype) ? 8 : 5)], dtype, {a}};
    return {binary[below(7)], dtype, {a, pick(p, dtype)}};
  }

  const uint16_t half_[4] = {0x3c00, 0xb800, 0x4100, 0x0000};  // 1, -0.5, 2.5, 0
  std::mt19937_64 random_;
};

const ElementwiseKernels& table() { return cpu::kernels<ElementwiseKernels>(); }

Loop find_loop(const std::string& op, size_t arity, DType operand, DType result) {
  const cpu::LoopEntry* const entry =
      cpu::find_loop(op.c_str(), static_cast<int>(arity), inside(operand), inside(result));
  if (entry != nullptr) return entry->loop;
  throw Error(ErrorCode::kInternal, "no loop for " + op);
}

/// An input laid out in the shape of the result, by an index computation per element.
Bytes spread(const Bytes& input, const Shape& from, const Shape& to, int64_t item) {
  Bytes result(static_cast<size_t>(product(to) * item));
  for (int64_t i = 0; i < product(to); ++i) {
    int64_t rest = i, offset = 0, step = 1;
    for (size_t axis = to.size(); axis-- > 0;) {
      const int64_t index = rest % to[axis];
      rest /= to[axis];
      const size_t lead = to.size() - from.size();
      if (axis < lead) continue;
      if (from[axis - lead] != 1) offset += index * step;
      step *= from[axis - lead];
    }
    std::memcpy(&result[static_cast<size_t>(i * item)], &input[static_cast<size_t>(offset * item)],
                static_cast<size_t>(item));
  }
  return result;
}

Bytes run_loop(Loop loop, const std::vector<const Bytes*>& operands,
               const std::vector<int64_t>& items, int64_t item, int64_t count) {
  Bytes result(static_cast<size_t>(count * item));
  for (int64_t i = 0; i < count; ++i) {
    const void* in[3] = {};
    for (size_t k = 0; k < operands.size(); ++k) in[k] = operands[k]->data() + i * items[k];
    loop(in, result.data() + i * item, 1);
  }
  return result;
}

/// All outputs of a program, one element and one instruction at a time.
std::vector<Bytes> evaluate(const Program& p, const std::vector<Bytes>& inputs) {
  const int64_t count = product(p.shape);
  std::vector<Bytes> values;
  for (size_t i = 0; i < inputs.size(); ++i) {
    values.push_back(spread(inputs[i], p.input_shapes[i], p.shape, item_bytes(p.dtypes[i])));
    if (p.dtypes[i] == DType::kFloat16)
      values[i] = run_loop(table().widen_half, {&values[i]}, {2}, 4, count);
  }
  for (const Instruction& instruction : p.instructions) {
    std::vector<const Bytes*> operands;
    std::vector<int64_t> items;
    for (int64_t v : instruction.args) {
      operands.push_back(&values[static_cast<size_t>(v)]);
      items.push_back(item_bytes(inside(p.dtypes[static_cast<size_t>(v)])));
    }
    const DType operand = p.dtypes[static_cast<size_t>(instruction.args.back())];
    const Loop loop =
        instruction.op == "cast"
            ? cpu::find_cast(operand, instruction.dtype)
            : find_loop(instruction.op, operands.size(), operand, instruction.dtype);
    Bytes made = run_loop(loop, operands, items, item_bytes(inside(instruction.dtype)), count);
    if (instruction.dtype == DType::kFloat16)
      made = run_loop(table().round_half, {&made}, {4}, 4, count);
    values.push_back(made);
  }
  std::vector<Bytes> outputs;
  for (int64_t v : p.outs) {
    const Bytes& value = values[static_cast<size_t>(v)];
    const bool half = p.dtypes[static_cast<size_t>(v)] == DType::kFloat16;
    outputs.push_back(half ? run_loop(table().narrow_half, {&value}, {4}, 2, count) : value);
  }
  return outputs;
}

bool same(const Bytes& a, const Bytes& b, DType dtype) {
  if (a == b) return true;
  // Which of two NaNs an addition gives is not defined.
  for (size_t i = 0; i < a.size(); i += static_cast<size_t>(item_bytes(dtype))) {
    if (dtype == DType::kFloat32) {
      float x, y;
      std::memcpy(&x, &a[i], 4), std::memcpy(&y, &b[i], 4);
      if (std::memcmp(&x, &y, 4) != 0 && (x == x || y == y)) return false;
    } else if (dtype == DType::kFloat64) {
      double x, y;
      std::memcpy(&x, &a[i], 8), std::memcpy(&y, &b[i], 8);
      if (std::memcmp(&x, &y, 8) != 0 && (x == x || y == y)) return false;
    } else if (dtype == DType::kFloat16) {
      uint16_t x, y;
      std::memcpy(&x, &a[i], 2), std::memcpy(&y, &b[i], 2);
      if (x != y && ((x & 0x7fff) <= 0x7c00 || (y & 0x7fff) <= 0x7c00)) return false;
    } else {
      return false;
    }
  }
  return true;
}

GivenBinding binding_of(const Program& p) {
  GivenBinding binding;
  for (size_t i = 0; i < p.input_shapes.size(); ++i)
    binding.in.push_back(type_of(p.dtypes[i], p.input_shapes[i]));
  for (int64_t v : p.outs)
    binding.out.push_back(type_of(p.dtypes[static_cast<size_t>(v)], p.shape));
  std::vector<std::string> ops, dtypes;
  std::vector<int64_t> arity, args;
  for (const Instruction& i : p.instructions) {
    ops.push_back(i.op);
    dtypes.push_back(kNames[static_cast<int>(i.dtype)]);
    arity.push_back(static_cast<int64_t>(i.args.size()));
    args.insert(args.end(), i.args.begin(), i.args.end());
  }
  binding.text_lists = {{"ops", ops}, {"dtypes", dtypes}};
  binding.list_values = {{"arity", arity}, {"args", args}, {"outs", p.outs}};
  return binding;
}

/// Runs a program; with `in_place`, each output that can lies over an input.
bool check(const Program& p, Generator& generator, bool in_place) {
  std::vector<Bytes> inputs;
  for (size_t i = 0; i < p.input_shapes.size(); ++i)
    inputs.push_back(generator.values(p.dtypes[i], product(p.input_shapes[i])));
  const std::vector<Bytes> expected = evaluate(p, inputs);
  std::vector<Bytes> results;
  std::vector<const void*> in;
  std::vector<void*> out;
  std::vector<bool> taken(inputs.size());
  for (const Bytes& input : inputs) in.push_back(input.data());
  for (const Bytes& bytes : expected) results.push_back(Bytes(bytes.size()));
  for (size_t k = 0; k < results.size(); ++k) {
    out.push_back(results[k].data());
    for (size_t i = 0; in_place && i < inputs.size(); ++i) {
      if (taken[i] || p.input_shapes[i] != p.shape || inputs[i].size() != results[k].size())
        continue;
      taken[i] = true;
      out[k] = inputs[i].data();
      break;
    }
  }
  BoundKernel(("elementwise"), binding_of(p)).run(in, out);
  for (size_t k = 0; k < out.size(); ++k) {
    const Bytes result(static_cast<char*>(out[k]), static_cast<char*>(out[k]) + expected[k].size());
    if (!same(result, expected[k], p.dtypes[static_cast<size_t>(p.outs[k])])) return false;
  }
  return true;
}

void print(const Program& p) {
  for (const Instruction& i : p.instructions) {
    std::printf("  %s %s", i.op.c_str(), kNames[static_cast<int>(i.dtype)]);
    for (int64_t v : i.args) std::printf(" %lld", static_cast<long long>(v));
    std::printf("\n");
  }
}

/// A damaged program is refused when it is bound.
bool refuses(const char* what, void (*damage)(GivenBinding&)) {
  Program p;
  p.shape = {3};
  p.input_shapes = {{3}, {3}};
  p.dtypes = {DType::kFloat32, DType::kInt32, DType::kFloat32};
  p.instructions = {{"neg", DType::kFloat32, {0}}};
  p.outs = {2};
  GivenBinding binding = binding_of(p);
  damage(binding);
  try {
    BoundKernel kernel("elementwise", binding);
  } catch (const Error&) {
    return true;
  }
  std::printf("not refused: %s\n", what);
  return false;
}

int check_refusals() {
  int failures = 0;
  failures +=
      !refuses("a value before it is made", [](GivenBinding& b) { b.list_values["args"] = {2}; });
  failures += !refuses("a negative number", [](GivenBinding& b) { b.list_values["args"] = {-1}; });
  failures += !refuses("too few operands", [](GivenBinding& b) { b.list_values["args"] = {}; });
  failures += !refuses("too many operands", [](GivenBinding& b) {
    b.list_values["args"] = {0, 0};
  });
  failures += !refuses("four operands", [](GivenBinding& b) { b.list_values["arity"] = {4}; });
  failures += !refuses("no operand", [](GivenBinding& b) { b.list_values["arity"] = {0}; });
  failures +=
      !refuses("lists of different length", [](GivenBinding& b) { b.text_lists["dtypes"] = {}; });
  failures += !refuses("an unknown op", [](GivenBinding& b) { b.text_lists["ops"] = {"negate"}; });
  failures +=
      !refuses("an unknown dtype", [](GivenBinding& b) { b.text_lists["dtypes"] = {"float"}; });
  failures +=
      !refuses("another result dtype", [](GivenBinding& b) { b.text_lists["dtypes"] = {"int32"}; });
  failures +=
      !refuses("an output that is not there", [](GivenBinding& b) { b.list_values["outs"] = {3}; });
  failures += !refuses("more outputs than buffers", [](GivenBinding& b) {
    b.list_values["outs"] = {2, 2};
  });
  failures += !refuses("mixed operands", [](GivenBinding& b) {
    b.text_lists["ops"] = {"add"};
    b.list_values["arity"] = {2};
    b.list_values["args"] = {0, 1};
  });
  failures +=
      !refuses("an input that does not broadcast", [](GivenBinding& b) { b.in[0].shape[0] = 2; });
  failures += !refuses("an input of higher rank", [](GivenBinding& b) {
    b.in[0] = type_of(DType::kFloat32, {2, 3});
  });
  return failures;
}

}  // namespace

int main() {
  int failures = check_refusals();
  const int programs = 1500;
  for (int seed = 0; seed < programs; ++seed) {
    Generator generator(static_cast<unsigned>(seed));
    const Program p = generator.program();
    for (bool in_place : {false, true}) {
      if (check(p, generator, in_place)) continue;
      ++failures;
      std::printf("program %d%s gives other values:\n", seed, in_place ? ", in place" : "");
      print(p);
    }
  }
  std::printf("elementwise: %d programs, %d failures\n", programs, failures);
  return failures != 0;
}
