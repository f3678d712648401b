// Norm, SwiGLU and rotary embedding of one row, forward and backward.

// To what T holds.
template <typename T>
MAGIC_INLINE Floats rounded(const Floats& value) {
  return at::vec::convert<float>(at::vec::convert<T>(value));
}

// 1 / rms(x)
template <typename T>
MAGIC_INLINE float norm_scale(const T* x, int64_t dim, double epsilon) {
  const float squares = at::vec::map_reduce_all([](const Floats& v) { return v * v; },
                                                [](const Floats& a, const Floats& b) { return a + b; }, x, dim);
  return static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(dim) + epsilon));
}

template <typename T>
void norm_row(const T* x, const T* weight, T* y, int64_t dim, double epsilon) {
  const Floats scale(norm_scale(x, dim, epsilon));
  at::vec::map2([&](const Floats& v, const Floats& w) { return rounded<T>(v * scale) * w; }, y, x, weight, dim);
}

template <typename T>
void norm_row_backward(const T* x, const T* weight, const T* d_y, const T* residual, T* d_x, float* d_weight,
                       int64_t dim, double epsilon) {
  const float factor = norm_scale(x, dim, epsilon);
  const float dots =
      at::vec::map3_reduce_all([](const Floats& v, const Floats& w, const Floats& d) { return d * w * v; },
                               [](const Floats& a, const Floats& b) { return a + b; }, x, weight, d_y, dim);
  // x's own length moves with x: take out the part along it.
  const Values<T> scale(factor), along(dots * factor * factor / static_cast<float>(dim));
  for_vectors<T>(
      dim, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
        const Values<T> v = load_values(x + i, count), w = load_values(weight + i, count),
                        d = load_values(d_y + i, count);
        if (d_weight) (Values<T>::loadu(d_weight + i, count) + d * v * scale).store(d_weight + i, count);
        Values<T> out = (d * w - v * along) * scale;
        if (residual) out = out + load_values(residual + i, count);
        store_values(d_x + i, out, count);
      });
}

template <typename T>
void swiglu_row(const T* gate, const T* up, T* y, int64_t width) {
  at::vec::map2([](const Floats& g, const Floats& u) { return rounded<T>(g * sigmoid(g)) * u; }, y, gate, up, width);
}

template <typename T>
void swiglu_row_backward(T* gate, T* up, const T* d_y, int64_t width) {
  for_vectors<T>(
      width, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
        const Values<T> g = load_values(gate + i, count), u = load_values(up + i, count),
                        d = load_values(d_y + i, count);
        const Values<T> s = g.unary_op([](const Floats&v) { return sigmoid(v); }), one(1.0f);
        store_values(gate + i, d * u * s * (one + g * (one - s)), count);
        store_values(up + i, d * g * s, count);
      });
}

template <typename T>
void rotate_head(T* head, const float* cosine, const float* sine, int64_t half, float sign) {
  const Values<T> signs(sign);
  for_vectors<T>(
      half, [&](int64_t i, int64_t count) __attribute__((always_inline)) {
        const Values<T> a = load_values(head + i, count), b = load_values(head + half + i, count);
        const Values<T> c = Values<T>::loadu(cosine + i, count), s = Values<T>::loadu(sine + i, count) * signs;
        store_values(head + i, a * c - b * s, count);
        store_values(head + half + i, b * c + a * s, count);
      });
}
