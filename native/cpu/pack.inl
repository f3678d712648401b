// Operands of products as oneDNN's block kernels take them, and the products put back. Values of bfloat16 stand in
// pairs, [inner / 2, width, 2] (its VNNI layout): neighbours on the inner axis, which one instruction multiplies.

// x [columns, inner] to its transpose [inner, width]; what lies behind the columns is left alone. A pair of bfloat16
// moves as one float.
void pack_across(const float* x, int64_t stride, int64_t columns, int64_t inner, float* packed, int64_t width) {
  at::vec::transpose_mxn<float>(x, stride, packed, width, static_cast<int>(columns), static_cast<int>(inner));
}

// b [inner, width] to its pairs; an odd inner axis is filled up with zeros.
void pack_along(const c10::BFloat16* b, int64_t stride, int64_t inner, int64_t width, c10::BFloat16* pairs) {
#ifdef CPU_CAPABILITY_AVX512
  at::vec::pack_vnni2(b, pairs, stride, inner, width);
#else
  for (int64_t k = 0; k < inner; k += 2) {
    for (int64_t i = 0; i < width; i++) {
      pairs[k * width + 2 * i] = b[k * stride + i];
      pairs[k * width + 2 * i + 1] = k + 1 < inner ? b[(k + 1) * stride + i] : c10::BFloat16(0.0f);
    }
  }
#endif
}

// a [rows, columns] to its transpose.
void transpose_bfloat16(const c10::BFloat16* a, int64_t stride, int64_t rows, int64_t columns, c10::BFloat16* out,
                        int64_t out_stride) {
  constexpr int64_t kSquare = 32;
  for (int64_t r = 0; r < rows; r += kSquare) {
    for (int64_t c = 0; c < columns; c += kSquare) {
      at::vec::transpose_mxn<c10::BFloat16>(a + r * stride + c, stride, out + c * out_stride + r, out_stride,
                                            static_cast<int>(std::min(kSquare, rows - r)),
                                            static_cast<int>(std::min(kSquare, columns - c)));
    }
  }
}

// c [rows, columns], at most kProductRows and kProductPanel, to its transpose in y.
template <typename T>
void store_across(const float* c, int64_t stride, int64_t rows, int64_t columns, T* y, int64_t y_stride) {
  if constexpr (std::is_same_v<T, float>) {
    at::vec::transpose_mxn<float>(c, stride, y, y_stride, static_cast<int>(rows), static_cast<int>(columns));
  } else {
    alignas(64) float across[kProductRows * kProductPanel];
    at::vec::transpose_mxn<float>(c, stride, across, kProductRows, static_cast<int>(rows), static_cast<int>(columns));
    for (int64_t i = 0; i < columns; i++) {
      for_vectors<T>(rows, [&](int64_t r, int64_t n) {
        const float* from = across + i * kProductRows + r;
        Values<T> values;
        for (int part = 0; part < kVectors<T>; part++) values[part] = load(from + part * kLanes);
        store_values(y + i * y_stride + r, values, n);
      });
    }
  }
}
