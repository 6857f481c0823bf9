// Convolutions in groups of few channels. For *_step.cpp files.
#pragma once

#include "cpu/conv_geometry.h"

namespace symk::cpu {

/// Whether the functions below should take it, rather than a product for each group. `backward`:
/// its gradient by the input.
bool has_narrow_groups(const ConvShape& shape, bool backward);

/// Binds the convolution, or (backward) its gradient by the input.
std::unique_ptr<Step> bind_depthwise(Binding& binding, const ConvShape& shape, bool backward);

std::unique_ptr<Step> bind_depthwise_grad_kernel(Binding& binding, const ConvShape& shape);

}  // namespace symk::cpu
