// Recurrent sequences: against plain loops at sizes around the widths of vectors and tiles, with
// and without a mask, in both directions; gradients against differences of the forward kernel.
#include "arrays.h"

using namespace symk;
using namespace symk::test;

namespace {

struct Case {
  const char* cell;
  int64_t gates;
  bool after, masked, reverse;
  int64_t batch, time, units;
};

GivenBinding binding_of(const Case& c) {
  GivenBinding binding;
  binding.text_values = {{"activation", "tanh"}, {"recurrent_activation", "sigmoid"}};
  binding.integer_values = {{"reverse", c.reverse}, {"reset_after", c.after}, {"sequences", 1}};
  return binding;
}

bool is_lstm(const Case& c) { return c.gates == 4; }
bool is_gru(const Case& c) { return c.gates == 3; }

std::vector<Array> run(const char* kernel, const Case& c, const std::vector<const Array*>& in,
                       const std::vector<std::vector<int64_t>>& shapes) {
  GivenBinding binding = binding_of(c);
  std::vector<Array> out;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const Array* array : in) {
    binding.in.push_back(array->type);
    from.push_back(array->data());
  }
  for (const auto& shape : shapes) {
    out.emplace_back(in[0]->type.dtype, shape);
    binding.out.push_back(out.back().type);
  }
  for (Array& array : out) to.push_back(array.data());
  BoundKernel(kernel, binding).run(from, to);
  return out;
}

/// x, weights, h [, c] [, bias] [, mask], as the forward kernel takes them.
std::vector<Array> operands_of(const Case& c, DType dtype, std::mt19937& generator) {
  const auto drawn = [&](const std::vector<int64_t>& shape, double scale) {
    Array array(dtype, shape);
    std::uniform_real_distribution<double> values(-scale, scale);
    for (int64_t i = 0; i < array.type.count(); ++i) array.set(i, values(generator));
    return array;
  };
  const int64_t wide = c.gates * c.units;
  std::vector<Array> in;
  in.push_back(drawn({c.batch, c.time, wide}, 1));
  in.push_back(drawn({c.units, wide}, 1 / std::sqrt(static_cast<double>(c.units))));
  in.push_back(drawn({c.batch, c.units}, 1));
  if (is_lstm(c)) in.push_back(drawn({c.batch, c.units}, 1));
  if (is_gru(c) && c.after) in.push_back(drawn({wide}, 1));
  if (c.masked) {
    Array mask(DType::kBool, {c.batch, c.time});
    for (int64_t i = 0; i < mask.type.count(); ++i) mask.set(i, generator() % 3 != 0);
    in.push_back(std::move(mask));
  }
  return in;
}

std::vector<const Array*> pointers(const std::vector<Array>& arrays) {
  std::vector<const Array*> all;
  for (const Array& array : arrays) all.push_back(&array);
  return all;
}

std::vector<std::vector<int64_t>> result_shapes(const Case& c) {
  const std::vector<int64_t> every = {c.batch, c.time, c.units}, one = {c.batch, c.units};
  const std::vector<int64_t> gates = {c.batch, c.time, c.gates * c.units};
  if (is_lstm(c)) return {every, every, gates, one, one};
  if (is_gru(c)) return {every, gates, every, one};
  return {every, one};
}

std::vector<Array> forward(const Case& c, const std::vector<Array>& in) {
  return run((std::string(c.cell) + "_sequence").c_str(), c, pointers(in), result_shapes(c));
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// The states of one sequence at all times, by plain loops.
std::vector<double> plain_states(const Case& c, const std::vector<Array>& in, int64_t row) {
  const int64_t n = c.units, wide = c.gates * n;
  std::vector<double> h(n), carry(n), states(static_cast<size_t>(c.time * n));
  for (int64_t j = 0; j < n; ++j) {
    h[j] = in[2][row * n + j];
    if (is_lstm(c)) carry[j] = in[3][row * n + j];
  }
  const auto product = [&](const std::vector<double>& state, int64_t column) {
    double sum = is_gru(c) && c.after ? in[3][column] : 0;
    for (int64_t k = 0; k < n; ++k) sum += state[k] * in[1][k * wide + column];
    return sum;
  };
  for (int64_t step = 0; step < c.time; ++step) {
    const int64_t time = c.reverse ? c.time - 1 - step : step;
    const auto x = [&](int64_t column) { return in[0][(row * c.time + time) * wide + column]; };
    std::vector<double> next(n), reset(n);
    for (int64_t j = 0; is_gru(c) && !c.after && j < n; ++j) {
      reset[j] = sigmoid(x(n + j) + product(h, n + j)) * h[j];
    }
    const bool shown = !c.masked || in.back()[row * c.time + time] != 0;
    for (int64_t j = 0; shown && j < n; ++j) {
      if (is_lstm(c)) {
        const double i = sigmoid(x(j) + product(h, j)), f = sigmoid(x(n + j) + product(h, n + j));
        const double g = std::tanh(x(2 * n + j) + product(h, 2 * n + j));
        carry[j] = f * carry[j] + i * g;
        next[j] = sigmoid(x(3 * n + j) + product(h, 3 * n + j)) * std::tanh(carry[j]);
      } else if (is_gru(c)) {
        const double z = sigmoid(x(j) + product(h, j));
        const double r = sigmoid(x(n + j) + product(h, n + j));
        const double inner = c.after ? r * product(h, 2 * n + j) : product(reset, 2 * n + j);
        next[j] = z * h[j] + (1 - z) * std::tanh(x(2 * n + j) + inner);
      } else {
        next[j] = std::tanh(x(j) + product(h, j));
      }
    }
    if (shown) h = next;
    std::copy(h.begin(), h.end(), states.begin() + time * n);
  }
  return states;
}

void fail(const Case& c, const char* what, double error) {
  ++failures;
  std::printf("%s after %d masked %d reverse %d (%ld, %ld, %ld): %s is off by %g\n", c.cell,
              c.after, c.masked, c.reverse, static_cast<long>(c.batch), static_cast<long>(c.time),
              static_cast<long>(c.units), what, error);
}

void check_values(const Case& c, DType dtype, double tolerance, std::mt19937& generator) {
  const std::vector<Array> in = operands_of(c, dtype, generator), out = forward(c, in);
  double worst = 0;
  for (int64_t row = 0; row < c.batch; ++row) {
    const std::vector<double> states = plain_states(c, in, row);
    for (size_t i = 0; i < states.size(); ++i) {
      const double found = out[0][row * c.time * c.units + static_cast<int64_t>(i)];
      worst = std::max(worst, std::abs(found - states[i]));
    }
  }
  ++cases;
  if (!(worst <= tolerance)) fail(c, "a state", worst);
}

/// The gradients of sum(g * all h) in x and in the first h, along random directions.
void check_gradient(const Case& c, std::mt19937& generator) {
  std::vector<Array> in = operands_of(c, DType::kFloat64, generator);
  const std::vector<Array> out = forward(c, in);
  Array g(DType::kFloat64, {c.batch, c.time, c.units}), zero(DType::kFloat64, {c.batch, c.units});
  std::normal_distribution<double> normal;
  for (int64_t i = 0; i < g.type.count(); ++i) g.set(i, normal(generator));
  std::vector<const Array*> from;
  if (is_lstm(c)) {
    from = {&out[2], &out[1], &in[3], &in[1], &zero, &zero, &g};
  } else if (is_gru(c)) {
    from = {&out[1], &out[2], &out[0], &in[2], &in[1], &zero, &g};
  } else {
    from = {&out[0], &in[1], &zero, &g};
  }
  if (c.masked) from.push_back(&in.back());
  const std::vector<int64_t> sums = {c.batch, c.time, c.gates * c.units},
                             one = {c.batch, c.units};
  std::vector<std::vector<int64_t>> shapes = {sums, one};
  if (is_lstm(c)) shapes.push_back(one);
  if (is_gru(c) && c.after) shapes.push_back(sums);
  const std::vector<Array> found =
      run((std::string(c.cell) + "_sequence_grad").c_str(), c, from, shapes);
  for (int operand : {0, 2}) {
    std::vector<double> direction(static_cast<size_t>(in[operand].type.count()));
    double stated = 0, slope = 0;
    const double step = 1e-5;
    for (size_t i = 0; i < direction.size(); ++i) {
      direction[i] = normal(generator);
      stated += direction[i] * found[operand / 2][static_cast<int64_t>(i)];
    }
    for (const double side : {1.0, -2.0}) {
      for (size_t i = 0; i < direction.size(); ++i) {
        const auto place = static_cast<int64_t>(i);
        in[operand].set(place, in[operand][place] + side * step * direction[i]);
      }
      const std::vector<Array> moved = forward(c, in);
      double loss = 0;
      for (int64_t i = 0; i < g.type.count(); ++i) loss += g[i] * moved[0][i];
      slope += (side > 0 ? loss : -loss) / (2 * step);
    }
    for (size_t i = 0; i < direction.size(); ++i) {
      const auto place = static_cast<int64_t>(i);
      in[operand].set(place, in[operand][place] + step * direction[i]);
    }
    ++cases;
    const double error = std::abs(stated - slope) / std::max(1.0, std::abs(slope));
    if (!(error <= 1e-6)) fail(c, operand == 0 ? "the gradient of x" : "that of h", error);
  }
}

}  // namespace

int main() {
  std::mt19937 generator(5);
  for (Case c : {Case{"rnn", 1, false, false, false, 0, 0, 0},
                 Case{"lstm", 4, false, false, false, 0, 0, 0},
                 Case{"gru", 3, false, false, false, 0, 0, 0},
                 Case{"gru", 3, true, false, false, 0, 0, 0}}) {
    for (int64_t units : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65}) {
      for (int64_t batch : {1, 6, 7, 13, 14, 15, 33}) {
        c.units = units;
        c.batch = batch;
        c.time = 3;
        c.masked = generator() % 2 == 0;
        c.reverse = generator() % 2 == 0;
        check_values(c, DType::kFloat32, 2e-6, generator);
        check_values(c, DType::kFloat64, 1e-13, generator);
        if (batch < 8) check_gradient(c, generator);
      }
    }
    c.units = 257;  // more depths than a block of the product holds
    check_values(c, DType::kFloat32, 5e-6, generator);
    c.units = 65;
    for (int64_t batch : {57, 113}) {  // parts of about a register tile of rows
      c.batch = batch;
      check_values(c, DType::kFloat32, 2e-6, generator);
      check_values(c, DType::kFloat64, 1e-13, generator);
    }
  }
  return report("recurrent");
}
