// The gradient by the kernel of convolutions whose window is one element. For *_step.cpp files.
#pragma once

#include "cpu/conv_geometry.h"

namespace symk::cpu {

/// Whether bind_pointwise_grad_kernel should take it.
bool is_pointwise(const ConvShape& shape);

std::unique_ptr<Step> bind_pointwise_grad_kernel(Binding& binding, const ConvShape& shape);

/// The same of pairs of bfloat16 of neighbouring pixels, for a shape without strides.
std::unique_ptr<Step> bind_pointwise_pairs(Binding& binding, const ConvShape& shape);

}  // namespace symk::cpu
