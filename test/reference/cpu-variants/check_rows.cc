// Norm, SwiGLU and rotary embedding of one row.

#include <cmath>

#include "check.h"

namespace magic {

namespace {

constexpr double kEpsilon = 1e-5;
// Whole vectors of every width, and what is left behind them.
constexpr int64_t kCounts[] = {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 97, 576, 1537};

template <class T>
void check_norm(const Kernels& kernels, int64_t dim, float special) {
  const std::string name = std::string("norm ") + name_of<T>() + " " + std::to_string(dim) + " " +
                           (special == 0 ? "" : std::to_string(special));
  auto x = normal<T>(dim, 2.0);
  const auto weight = normal<T>(dim, 0.3, 1.0), d_y = normal<T>(dim), residual = normal<T>(dim);
  const auto d_weight = normal<float>(dim);
  if (special != 0) x[dim / 2] = static_cast<T>(special);
  double squares = 0, along = 0, along_size = 0;
  for (int64_t i = 0; i < dim; i++) squares += std::pow(x[i], 2);
  const double scale = 1 / std::sqrt(squares / static_cast<double>(dim) + kEpsilon);
  for (int64_t i = 0; i < dim; i++) {
    const double term = double{d_y[i]} * weight[i] * x[i] * scale / static_cast<double>(dim);
    along += term;
    along_size += std::abs(term);
  }
  std::vector<Expected> y(dim), d_x(dim), d_w(dim);
  const double off = static_cast<double>(dim + 16) * 0x1p-24;  // of float32's sums
  for (int64_t i = 0; i < dim; i++) {
    const double unit = x[i] * scale, d = double{d_y[i]} * weight[i];
    y[i].value = rounded<T>(rounded<T>(unit) * weight[i]);
    y[i].slack = (off + 2 * kStep<T>)*std::abs(y[i].value);
    d_x[i].value = rounded<T>((d - unit * along) * scale + residual[i]);
    d_x[i].slack = off * ((std::abs(d) + std::abs(unit) * along_size) * scale + std::abs(residual[i])) +
                   kStep<T> * std::abs(d_x[i].value);
    d_w[i].add(d_weight[i], dim);
    d_w[i].add(d_y[i] * unit, dim);
  }
  auto out = room<T>(dim);
  kernels.rows<T>().norm(x.data(), weight.data(), out.data(), dim, kEpsilon);
  check(name, y, out);
  auto sum = guarded(d_weight);
  out = room<T>(dim);
  kernels.rows<T>().norm_backward(x.data(), weight.data(), d_y.data(), residual.data(), out.data(), sum.data(), dim,
                                  kEpsilon);
  check(name + " backward", d_x, out);
  check(name + " d weight", d_w, sum);
  if (special != 0) return;
  for (int64_t i = 0; i < dim; i++) d_x[i].value -= residual[i], d_x[i].slack += 2 * kStep<T> * std::abs(residual[i]);
  out = guarded(d_y);  // in place
  kernels.rows<T>().norm_backward(x.data(), weight.data(), out.data(), nullptr, out.data(), nullptr, dim, kEpsilon);
  check(name + " backward, bare", d_x, out);
}

template <class T>
void check_swiglu(const Kernels& kernels, int64_t width, const std::vector<float>& gates) {
  const std::string name = std::string("swiglu ") + name_of<T>() + " " + std::to_string(width) +
                           (gates.empty() ? "" : " of special numbers");
  auto gate = normal<T>(width, 3.0);
  const auto up = normal<T>(width), d_y = normal<T>(width);
  for (size_t i = 0; i < gates.size(); i++) gate[i] = static_cast<T>(gates[i]);
  std::vector<Expected> y(width), d_gate(width), d_up(width);
  for (int64_t i = 0; i < width; i++) {
    const double g = gate[i], u = up[i], d = d_y[i], s = 1 / (1 + std::exp(-g));
    y[i].value = rounded<T>(rounded<T>(g * s) * u);
    y[i].slack = (16 * kStep<float> + 2 * kStep<T>)*std::abs(y[i].value);
    d_gate[i].value = rounded<T>(d * u * s * (1 + g * (1 - s)));
    d_gate[i].slack = 16 * kStep<float> * std::abs(d * u * s) * (1 + std::abs(g * (1 - s))) +
                      2 * kStep<T> * std::abs(d_gate[i].value);
    d_up[i].value = rounded<T>(d * g * s);
    d_up[i].slack = (16 * kStep<float> + 2 * kStep<T>)*std::abs(d_up[i].value);
    if (std::isnan(d_gate[i].slack)) d_gate[i].slack = 0;
    // Where the sigmoid is below the smallest normal number, it may be 0, which the gate is multiplied by.
    for (Expected* of : {&y[i], &d_gate[i], &d_up[i]}) of->slack += 1e-34;
  }
  auto out = room<T>(width), d_out = guarded(up);
  kernels.rows<T>().swiglu(gate.data(), up.data(), out.data(), width);
  check(name, y, out);
  out = guarded(gate);
  kernels.rows<T>().swiglu_backward(out.data(), d_out.data(), d_y.data(), width);
  check(name + " d gate", d_gate, out);
  check(name + " d up", d_up, d_out);
}

template <class T>
void check_rotate(const Kernels& kernels, int64_t half, float sign) {
  const auto head = normal<T>(2 * half);
  std::vector<float> cosine(half), sine(half);
  for (int64_t i = 0; i < half; i++) {
    cosine[i] = std::cos(0.1f * static_cast<float>(i));
    sine[i] = std::sin(0.1f * static_cast<float>(i));
  }
  std::vector<Expected> expected(2 * half);
  for (int64_t i = 0; i < half; i++) {
    const double a = head[i], b = head[half + i], c = cosine[i], s = sign * sine[i];
    expected[i].add(a * c, 2);
    expected[i].add(-b * s, 2);
    expected[half + i].add(b * c, 2);
    expected[half + i].add(a * s, 2);
  }
  for (Expected& of : expected) of.slack += kStep<T> * std::abs(of.value);
  auto out = guarded(head);
  kernels.rows<T>().rotate(out.data(), cosine.data(), sine.data(), half, sign);
  check(std::string("rotate ") + name_of<T>() + " " + std::to_string(half) + (sign < 0 ? " back" : ""), expected, out);
}

template <class T>
void check_type(const Kernels& kernels) {
  for (const int64_t count : kCounts) {
    check_norm<T>(kernels, count, 0);
    check_swiglu<T>(kernels, count, {});
    for (const float sign : {1.0f, -1.0f}) check_rotate<T>(kernels, count, sign);
  }
  for (const float special : {kInfinity, -kInfinity, kNan, 1e15f, 1e-30f}) check_norm<T>(kernels, 37, special);
  const std::vector<float> gates = {0.0f,   -0.0f, kInfinity, -kInfinity, kNan,   1e30f,  -1e30f, 88.0f,  -88.0f,
                                    -87.0f, 87.0f, -86.9f,    -104.0f,    -150.f, 150.0f, 1e-30f, -1e-30f};
  check_swiglu<T>(kernels, 17, gates);
  check_swiglu<T>(kernels, 37, gates);
}

}  // namespace

void check_rows(const Kernels& kernels) {
  check_type<float>(kernels);
  check_type<c10::BFloat16>(kernels);
}

}  // namespace magic
