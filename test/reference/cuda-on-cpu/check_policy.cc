// Norm, rotary embedding and SwiGLU against plain double precision.

#include "check.h"

namespace magic {

namespace {

struct NormShape {
  int64_t outer, inner, dim, stride;
};

// Whole 16-byte packs, an odd width, and heads inside of wider rows.
constexpr NormShape kNormShapes[] = {{5, 1, 576, 576}, {3, 1, 97, 97}, {4, 3, 64, 320}, {2, 2, 10, 23}};
constexpr double kEpsilon = 1e-5;

template <class T>
void check_norm(const NormShape& shape) {
  const auto [outer, inner, dim, stride] = shape;
  const std::string name = std::string("rms_norm ") + name_of<T>() + " " + std::to_string(outer) + "x" +
                           std::to_string(inner) + "x" + std::to_string(dim);
  const auto x = normal<T>(outer * stride, 2.0), d_y = normal<T>(outer * stride), weight = normal<T>(dim, 0.3, 1.0),
             residual = normal<T>(outer * stride);
  auto d_weight = normal<float>(dim);
  const auto given_d_weight = d_weight;
  // Values between the rows stay what they are.
  std::vector<double> y, d_x, expected_d_weight, magnitudes;
  append(y, x);
  append(d_x, d_y);
  append(expected_d_weight, d_weight);
  for (const float value : d_weight) magnitudes.push_back(std::abs(value));
  for (int64_t row = 0; row < outer * inner; row++) {
    const int64_t at = row / inner * stride + row % inner * dim;
    double squares = 0, along = 0;
    for (int64_t i = 0; i < dim; i++) squares += std::pow(to_float(x[at + i]), 2);
    const double scale = 1 / std::sqrt(squares / dim + kEpsilon);
    for (int64_t i = 0; i < dim; i++)
      along += to_float(d_y[at + i]) * to_float(weight[i]) * to_float(x[at + i]) * scale / dim;
    for (int64_t i = 0; i < dim; i++) {
      const double normal = to_float(x[at + i]) * scale;
      y[at + i] = rounded<T>(normal) * to_float(weight[i]);
      d_x[at + i] = (to_float(d_y[at + i]) * to_float(weight[i]) - normal * along) * scale + to_float(residual[at + i]);
      expected_d_weight[i] += to_float(d_y[at + i]) * normal;
      magnitudes[i] += std::abs(to_float(d_y[at + i]) * normal);
    }
  }
  check(name, y, 4 * kStep<T>, [&] {
    auto out = x;  // in place
    rms_norm_on_device(kHere, kElementOf<T>,
                       {out.data(), weight.data(), out.data(), outer, inner, dim, stride, stride, kEpsilon});
    std::vector<double> values;
    append(values, out);
    return values;
  });
  std::vector<double> expected = d_x;
  expected.insert(expected.end(), expected_d_weight.begin(), expected_d_weight.end());
  // n float32 numbers, in whatever order they are added, are off by n / 2^24 of the sum of their magnitudes at most
  // (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2).
  std::vector<double> slack(d_x.size(), 0.0);
  for (const double magnitude : magnitudes) slack.push_back(static_cast<double>(outer * inner) * 0x1p-24 * magnitude);
  check(
      name + " backward", expected, 4 * kStep<T>,
      [&] {
        auto out = d_y;  // in place
        auto sum = given_d_weight;
        std::vector<float> partial(RmsNormBackward::kPartials * dim);
        rms_norm_backward_on_device(kHere, kElementOf<T>,
                                    {x.data(), weight.data(), out.data(), out.data(), sum.data(), partial.data(),
                                     residual.data(), outer, inner, dim, stride, stride, stride, stride, kEpsilon});
        std::vector<double> values;
        append(values, out);
        append(values, sum);
        return values;
      },
      slack);
}

template <class T>
void check_rotate() {
  constexpr int64_t kTokens = 5, kHeads = 3, kHalf = 33, kStride = kHeads * 2 * kHalf + 7;
  const auto x = normal<T>(kTokens * kStride);
  std::vector<float> cosine(kTokens * kHalf), sine(kTokens * kHalf);
  for (size_t i = 0; i < cosine.size(); i++) {
    cosine[i] = static_cast<float>(std::cos(0.1 * static_cast<double>(i)));
    sine[i] = static_cast<float>(std::sin(0.1 * static_cast<double>(i)));
  }
  for (const bool inverse : {false, true}) {
    std::vector<double> expected;
    append(expected, x);
    for (int64_t t = 0; t < kTokens; t++) {
      for (int64_t h = 0; h < kHeads; h++) {
        for (int64_t i = 0; i < kHalf; i++) {
          const int64_t at = t * kStride + h * 2 * kHalf + i;
          const double c = cosine[t * kHalf + i], s = (inverse ? -1 : 1) * sine[t * kHalf + i];
          const double a = to_float(x[at]), b = to_float(x[at + kHalf]);
          expected[at] = a * c - b * s;
          expected[at + kHalf] = b * c + a * s;
        }
      }
    }
    check(std::string("rotate ") + name_of<T>() + (inverse ? " back" : ""), expected, kStep<T>, [&] {
      auto out = x;
      rotate_on_device(kHere, kElementOf<T>,
                       {out.data(), cosine.data(), sine.data(), kTokens, kHeads, kHalf, kStride, inverse});
      std::vector<double> values;
      append(values, out);
      return values;
    });
  }
}

template <class T>
void check_swiglu(int64_t rows, int64_t width) {
  const auto gate_up = normal<T>(rows * 2 * width, 3.0), d_y = normal<T>(rows * width);
  std::vector<double> y(rows * width), d_gate_up(rows * 2 * width);
  for (int64_t row = 0; row < rows; row++) {
    for (int64_t i = 0; i < width; i++) {
      const double g = to_float(gate_up[row * 2 * width + i]), up = to_float(gate_up[row * 2 * width + width + i]);
      const double s = 1 / (1 + std::exp(-g)), d = to_float(d_y[row * width + i]);
      y[row * width + i] = g * s * up;
      d_gate_up[row * 2 * width + i] = d * up * s * (1 + g * (1 - s));
      d_gate_up[row * 2 * width + width + i] = d * g * s;
    }
  }
  const std::string name =
      std::string("swiglu ") + name_of<T>() + " " + std::to_string(rows) + "x" + std::to_string(width);
  check(name, y, 2 * kStep<T>, [&] {
    std::vector<T> out(rows * width);
    swiglu_on_device(kHere, kElementOf<T>, {gate_up.data(), out.data(), rows, width});
    std::vector<double> values;
    append(values, out);
    return values;
  });
  check(name + " backward", d_gate_up, 4 * kStep<T>, [&] {
    std::vector<T> out(rows * 2 * width);
    swiglu_backward_on_device(kHere, kElementOf<T>, {gate_up.data(), d_y.data(), out.data(), rows, width});
    std::vector<double> values;
    append(values, out);
    return values;
  });
}

template <class T>
void check_all() {
  for (const NormShape& shape : kNormShapes) check_norm<T>(shape);
  check_norm<T>({RmsNormBackward::kPartials + 3, 1, 32, 32});
  check_rotate<T>();
  check_swiglu<T>(3, 200);
  check_swiglu<T>(5, 77);
}

}  // namespace

void check_policy() {
  check_all<float>();
  check_all<__nv_bfloat16>();
}

}  // namespace magic
