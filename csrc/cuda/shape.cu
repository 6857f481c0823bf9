// Moving elements: copy, broadcast_to, transpose, concat, slice, slice_grad, pad, arange and size.
#include "cpu/element_bits.h"
#include "cuda/device.h"
#include "cuda/item.h"
#include "cuda/strided.h"

namespace symk::cuda {
namespace {

template <class Item>
struct Move {
  Walk walk;
  const Item* x;
  Item* y;
  SYMK_HD void operator()(int64_t i) const {
    const Places places = walk.places(i);
    y[places.to] = x[places.from];
  }
};

template <class Item>
struct Fill {
  Item* y;
  Item value;
  SYMK_HD void operator()(int64_t i) const { y[i] = value; }
};

// Side of a tile of a plane to transpose, and the rows of threads that work on it: each reads and
// writes whole lines of memory.
constexpr int kTile = 32, kTileRows = 8;

/// Tiles of planes whose axes lie crosswise: `width` is dense in x, `length` in y. The other axes
/// are those of `walk`.
template <class Item>
struct TransposeTiles {
  Walk walk;
  int64_t length, length_from, width, width_to;
  int64_t length_tiles, width_tiles;
  const Item* x;
  Item* y;

  SYMK_HD void operator()(int64_t block) const {
    __shared__ Item tile[kTile][kTile + 1];  // one column more: no two rows in one bank
    const int64_t first_length = block % length_tiles * kTile;
    const int64_t first_width = block / length_tiles % width_tiles * kTile;
    const Places base = walk.places(block / length_tiles / width_tiles);
    const int column = threadIdx.x % kTile, row = threadIdx.x / kTile;
    for (int r = row; r < kTile; r += kTileRows) {
      const int64_t l = first_length + r, w = first_width + column;
      if (l < length && w < width) tile[r][column] = x[base.from + l * length_from + w];
    }
    __syncthreads();
    for (int r = row; r < kTile; r += kTileRows) {
      const int64_t l = first_length + column, w = first_width + r;
      if (l < length && w < width) y[base.to + w * width_to + l] = tile[column][r];
    }
  }
};

void move(const Queue& queue, const Walk& walk, int64_t item, const void* x, void* y) {
  with_item(item, [&](auto tag) {
    using Item = typename decltype(tag)::type;
    each(queue, walk.count, Move<Item>{walk, static_cast<const Item*>(x), static_cast<Item*>(y)});
  });
}

void fill(const Queue& queue, int64_t count, int64_t item, uint64_t bits, void* y) {
  with_item(item, [&](auto tag) {
    using Item = typename decltype(tag)::type;
    each(queue, count, Fill<Item>{static_cast<Item*>(y), static_cast<Item>(bits)});
  });
}

std::unique_ptr<Step> move_step(const Binding& binding, const Walk& walk) {
  const int64_t item = item_bytes(binding.outputs()[0].dtype);
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    if (operands.in[0] == operands.out[0]) return;  // in place: nothing moves then
    move(queue, walk, item, operands.in[0], operands.out[0]);
  });
}

std::unique_ptr<Step> bind_copy(Binding& binding) {
  return move_step(binding, walk_over(cpu::copy_axes(binding)));
}

std::unique_ptr<Step> bind_broadcast_to(Binding& binding) {
  return move_step(binding, walk_over(cpu::broadcast_axes(binding)));
}

/// The position of the axis that is dense in x, where another one is dense in y; or -1.
int plane_axis(const std::vector<cpu::Axis>& axes) {
  if (axes.size() < 2 || axes.back().to != 1 || axes.back().from == 1) return -1;
  for (size_t i = 0; i + 1 < axes.size(); ++i) {
    if (axes[i].from == 1) return static_cast<int>(i);
  }
  return -1;
}

std::unique_ptr<Step> bind_transpose(Binding& binding) {
  std::vector<cpu::Axis> axes = cpu::collapse(cpu::transpose_axes(binding));
  const int plane = plane_axis(axes);
  if (plane < 0) return move_step(binding, walk_over(axes));
  const cpu::Axis width = axes[static_cast<size_t>(plane)], length = axes.back();
  axes.pop_back();
  axes.erase(axes.begin() + plane);
  const Walk rest = walk_over(axes);
  const int64_t item = item_bytes(binding.outputs()[0].dtype);
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    with_item(item, [&](auto tag) {
      using Item = typename decltype(tag)::type;
      TransposeTiles<Item> tiles = {rest,
                                    length.size,
                                    length.from,
                                    width.size,
                                    width.to,
                                    (length.size + kTile - 1) / kTile,
                                    (width.size + kTile - 1) / kTile,
                                    input<Item>(operands, 0),
                                    output<Item>(operands, 0)};
      blocks(queue, rest.count * tiles.length_tiles * tiles.width_tiles, kTile * kTileRows, 0,
             tiles);
    });
  });
}

std::unique_ptr<Step> bind_concat(Binding& binding) {
  std::vector<Walk> walks;
  for (const cpu::PartialWalk& walk : cpu::concat_walks(binding))
    walks.push_back(walk_over(walk.axes, 0, walk.to_base));
  const int64_t item = item_bytes(binding.outputs()[0].dtype);
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    for (size_t i = 0; i < walks.size(); ++i)
      move(queue, walks[i], item, operands.in[i], operands.out[0]);
  });
}

std::unique_ptr<Step> bind_slice(Binding& binding) {
  cpu::require_operands(binding, "slice", 1, 1);
  const cpu::PartialWalk walk =
      cpu::select_elements(binding, "slice", binding.inputs()[0], binding.outputs()[0]);
  return move_step(binding, walk_over(walk.axes, walk.from_base));
}

/// A step that fills y and then moves x into it.
std::unique_ptr<Step> fill_and_move(const Binding& binding, uint64_t bits, const Walk& walk) {
  const Type& y = binding.outputs()[0];
  const int64_t count = y.count(), item = item_bytes(y.dtype);
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    fill(queue, count, item, bits, operands.out[0]);
    move(queue, walk, item, operands.in[0], operands.out[0]);
  });
}

std::unique_ptr<Step> bind_slice_grad(Binding& binding) {
  cpu::require_operands(binding, "slice_grad", 1, 1);
  const cpu::PartialWalk walk = cpu::reversed(
      cpu::select_elements(binding, "slice_grad", binding.outputs()[0], binding.inputs()[0]));
  return fill_and_move(binding, 0, walk_over(walk.axes, 0, walk.to_base));
}

std::unique_ptr<Step> bind_pad(Binding& binding) {
  const std::vector<int64_t> before = cpu::padding_before(binding);
  const Type& x = binding.inputs()[0];
  const std::vector<int64_t> from = cpu::dense_strides(x);
  const std::vector<int64_t> to = cpu::dense_strides(binding.outputs()[0]);
  std::vector<cpu::Axis> axes;
  int64_t base = 0;
  for (int axis = 0; axis < x.rank; ++axis) {
    axes.push_back({x.shape[axis], from[axis], to[axis]});
    base += before[axis] * to[axis];
  }
  return fill_and_move(binding, cpu::element_bits(binding.real("value"), x.dtype),
                       walk_over(axes, 0, base));
}

/// start + i * step, computed in T.
template <class T, class Element>
struct Arange {
  Element* y;
  T start, step;
  SYMK_HD void operator()(int64_t i) const {
    y[i] = static_cast<Element>(start + static_cast<T>(i) * step);
  }
};

template <class T, class Element>
std::unique_ptr<Step> arange_step(const Binding& binding, T start, T step) {
  const int64_t count = binding.outputs()[0].count();
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    each(queue, count, Arange<T, Element>{output<Element>(operands, 0), start, step});
  });
}

std::unique_ptr<Step> bind_arange(Binding& binding) {
  cpu::require_operands(binding, "arange", 0, 1);
  const Type& y = binding.outputs()[0];
  const double start = binding.real("start"), step = binding.real("step");
  switch (y.dtype) {
    case DType::kFloat32: return arange_step<double, float>(binding, start, step);
    case DType::kFloat64: return arange_step<double, double>(binding, start, step);
    case DType::kFloat16:
    case DType::kBool: throw cpu::no_dtype("arange", y.dtype);
    default: break;
  }
  // Integers wrap, which unsigned numbers do without undefined behaviour.
  const uint64_t first = cpu::bits_of(cpu::saturated(start));
  const uint64_t stride = cpu::bits_of(cpu::saturated(step));
  return with_item(item_bytes(y.dtype), [&](auto tag) {
    return arange_step<uint64_t, typename decltype(tag)::type>(binding, first, stride);
  });
}

std::unique_ptr<Step> bind_size(Binding& binding) {
  const uint64_t bits = cpu::size_bits(binding);
  const int64_t item = item_bytes(binding.outputs()[0].dtype);
  return make_step(binding, [=](const Queue& queue, const Operands& operands) {
    fill(queue, 1, item, bits, operands.out[0]);
  });
}

const KernelEntry entries[] = {
    {"copy", bind_copy},
    {"broadcast_to", bind_broadcast_to},
    {"transpose", bind_transpose},
    {"concat", bind_concat},
    {"slice", bind_slice},
    {"slice_grad", bind_slice_grad},
    {"pad", bind_pad},
    {"arange", bind_arange},
    {"size", bind_size},
};

}  // namespace
}  // namespace symk::cuda
