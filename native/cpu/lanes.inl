// Vectors of kLanes floats, one register each, read from and written to float32 or bfloat16.

using Floats = float __attribute__((vector_size(kLanes * sizeof(float))));
using Ints = int32_t __attribute__((vector_size(kLanes * sizeof(int32_t))));
using Words = uint32_t __attribute__((vector_size(kLanes * sizeof(uint32_t))));
using Halves = uint16_t __attribute__((vector_size(kLanes * sizeof(uint16_t))));

// All lanes. A difference, as x - 0 is x, so that nothing but a broadcasting load is left; 0 + x is not x where x is
// -0.
MAGIC_INLINE void broadcast(Floats& out, float value) { out = value - Floats{}; }

MAGIC_INLINE void load(Floats& out, const float* from) { std::memcpy(&out, from, sizeof(Floats)); }
MAGIC_INLINE void store(float* to, const Floats& value) { std::memcpy(to, &value, sizeof(Floats)); }

MAGIC_INLINE void load(Floats& out, const c10::BFloat16* from) {
  Halves halves;
  std::memcpy(&halves, from, sizeof(halves));
  const Words words = __builtin_convertvector(halves, Words) << 16;
  std::memcpy(&out, &words, sizeof(out));
}

// To the nearest, ties to even, as c10 rounds.
MAGIC_INLINE void store(c10::BFloat16* to, const Floats& value) {
  Words words;
  std::memcpy(&words, &value, sizeof(words));
  const Words rounded = (words + 0x7fffu + ((words >> 16) & 1u)) >> 16;
  const Ints is_nan = value != value;
  Words nan;
  std::memcpy(&nan, &is_nan, sizeof(nan));
  const Halves halves = __builtin_convertvector((rounded & ~nan) | (nan & 0x7fc0u), Halves);
  std::memcpy(static_cast<void*>(to), &halves, sizeof(halves));
}

// The first `count` lanes, the others 0; all where count is kLanes or more.
template <typename T>
MAGIC_INLINE void load(Floats& out, const T* from, int64_t count) {
  if (count >= kLanes) {
    load(out, from);
  } else {
    T some[kLanes] = {};
    for (int64_t i = 0; i < count; i++) some[i] = from[i];
    load(out, some);
  }
}

template <typename T>
MAGIC_INLINE void store(T* to, const Floats& value, int64_t count) {
  if (count >= kLanes) {
    store(to, value);
  } else {
    T some[kLanes];
    store(some, value);
    for (int64_t i = 0; i < count; i++) to[i] = some[i];
  }
}

// To what a store of T and a load give back.
MAGIC_INLINE void round_to(const float*, Floats&) {}
MAGIC_INLINE void round_to(const c10::BFloat16*, Floats& value) {
  c10::BFloat16 rounded[kLanes];
  store(rounded, value);
  load(value, rounded);
}

MAGIC_INLINE float sum_of(const Floats& value) {
  float sum = 0;
  for (int64_t lane = 0; lane < kLanes; lane++) sum += value[lane];
  return sum;
}

// exp(x) for x <= 0 to about 2 ulp: x = n log 2 + r, a polynomial in r (Cephes' expf), and n into the exponent. Below
// -87 the result is 0.
MAGIC_INLINE void exp_nonpositive(Floats& x) {
  const Ints tiny = x < -87.0f;
  x = tiny ? Floats{} - 87.0f : x;
  const Floats scaled = x * 1.44269504088896341f - 0.5f;
  const Ints n = __builtin_convertvector(scaled, Ints);  // truncation of a value <= -0.5: rounds x / log 2 to nearest
  const Floats whole = __builtin_convertvector(n, Floats);
  const Floats r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  Floats y = r * 1.9875691500e-4f + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * r * r + r + 1.0f;
  const Ints bits = ((n + 127) << 23) & ~tiny;
  Floats power;
  std::memcpy(&power, &bits, sizeof(power));
  x = y * power;
}

// 1 / (1 + exp(-x))
MAGIC_INLINE void sigmoid(Floats& x) {
  const Ints negative = x < 0.0f;
  Floats e = negative ? x : -x;
  exp_nonpositive(e);
  x = (negative ? e : Floats{} + 1.0f) / (e + 1.0f);
}
