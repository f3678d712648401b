// Norm, SwiGLU and rotary embedding of one row, forward and backward.

template <typename T>
void norm_row(const T* x, const T* weight, T* y, int64_t dim, double epsilon) {
  Floats squares{}, v, w;
  for (int64_t i = 0; i < dim; i += kLanes) {
    load(v, x + i, dim - i);
    squares += v * v;
  }
  const float scale = static_cast<float>(1.0 / std::sqrt(sum_of(squares) / static_cast<double>(dim) + epsilon));
  for (int64_t i = 0; i < dim; i += kLanes) {
    load(v, x + i, dim - i);
    load(w, weight + i, dim - i);
    v *= scale;
    round_to(y, v);
    v *= w;
    store(y + i, v, dim - i);
  }
}

template <typename T>
void norm_row_backward(const T* x, const T* weight, const T* d_y, const T* residual, T* d_x, float* d_weight,
                       int64_t dim, double epsilon) {
  Floats squares{}, dots{}, v, w, d;
  for (int64_t i = 0; i < dim; i += kLanes) {
    load(v, x + i, dim - i);
    load(w, weight + i, dim - i);
    load(d, d_y + i, dim - i);
    squares += v * v;
    dots += d * w * v;
  }
  const float scale = static_cast<float>(1.0 / std::sqrt(sum_of(squares) / static_cast<double>(dim) + epsilon));
  // x's own length moves with x: take out the part along it.
  const float along = sum_of(dots) * scale * scale / static_cast<float>(dim);
  for (int64_t i = 0; i < dim; i += kLanes) {
    load(v, x + i, dim - i);
    load(w, weight + i, dim - i);
    load(d, d_y + i, dim - i);
    if (d_weight) {
      Floats sum;
      load(sum, d_weight + i, dim - i);
      sum += d * v * scale;
      store(d_weight + i, sum, dim - i);
    }
    Floats out = (d * w - v * along) * scale;
    if (residual) {
      Floats r;
      load(r, residual + i, dim - i);
      out += r;
    }
    store(d_x + i, out, dim - i);
  }
}

template <typename T>
void swiglu_row(const T* gate, const T* up, T* y, int64_t width) {
  Floats g, u;
  for (int64_t i = 0; i < width; i += kLanes) {
    load(g, gate + i, width - i);
    load(u, up + i, width - i);
    Floats s = g;
    sigmoid(s);
    Floats silu = g * s;
    round_to(y, silu);
    silu *= u;
    store(y + i, silu, width - i);
  }
}

template <typename T>
void swiglu_row_backward(T* gate, T* up, const T* d_y, int64_t width) {
  Floats g, u, d;
  for (int64_t i = 0; i < width; i += kLanes) {
    load(g, gate + i, width - i);
    load(u, up + i, width - i);
    load(d, d_y + i, width - i);
    Floats s = g;
    sigmoid(s);
    const Floats d_gate = d * u * s * (1.0f + g * (1.0f - s));
    const Floats d_up = d * g * s;
    store(gate + i, d_gate, width - i);
    store(up + i, d_up, width - i);
  }
}

template <typename T>
void rotate_head(T* head, const float* cosine, const float* sine, int64_t half, float sign) {
  Floats a, b, c, s;
  for (int64_t i = 0; i < half; i += kLanes) {
    load(a, head + i, half - i);
    load(b, head + half + i, half - i);
    load(c, cosine + i, half - i);
    load(s, sine + i, half - i);
    s *= sign;
    const Floats first = a * c - b * s, second = b * c + a * s;
    store(head + i, first, half - i);
    store(head + half + i, second, half - i);
  }
}
