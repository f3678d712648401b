// What the kernels add to at::vec: loads of either element type, an exponential that keeps what is not a number.

using Floats = at::vec::Vectorized<float>;
constexpr int64_t kLanes = Floats::size();

MAGIC_INLINE Floats load(const float* from) { return Floats::loadu(from); }
MAGIC_INLINE Floats load(const c10::BFloat16* from) {
  Floats out;
  at::vec::load_fp32_from_bf16(from, out);
  return out;
}

// The first `count` lanes, the others 0; all where count is kLanes or more.
template <typename T>
MAGIC_INLINE Floats load(const T* from, int64_t count) {
  if (count >= kLanes) return load(from);
  return at::vec::convert<float>(at::vec::Vectorized<T>::loadu(from, count));
}

// The float32 values of one vector of T.
template <typename T>
constexpr int kVectors = at::vec::Vectorized<T>::size() / kLanes;
template <typename T>
using Values = at::vec::VectorizedN<float, kVectors<T>>;

template <typename T>
MAGIC_INLINE Values<T> load_values(const T* from, int64_t count) {
  return at::vec::convert<float, kVectors<T>, T, 1>(at::vec::VectorizedN<T, 1>::loadu(from, count));
}

template <typename T>
MAGIC_INLINE void store_values(T* to, const Values<T>& values, int64_t count) {
  at::vec::Vectorized<T>(at::vec::convert<T, 1, float, kVectors<T>>(values)).store(to, count);
}

// Calls body(i, n) for the n elements from i on, a vector of T or what is left at the end.
template <typename T, typename Body>
MAGIC_INLINE void for_vectors(int64_t count, const Body& body) {
  constexpr int64_t kSize = at::vec::Vectorized<T>::size();
  int64_t i = 0;
  for (; i + kSize <= count; i += kSize) body(i, kSize);
  if (i < count) body(i, count - i);
}

// exp(x) for x <= 0 to about 2 ulp: x = n log 2 + r, a polynomial in r (Cephes' expf), and n into the exponent. Below
// -87 the result is 0. Of at::vec's own, exp takes twice as long; exp_u20, a tenth faster, is off by up to 4e-7, which
// gradients that nearly cancel out show (those of a key's bias), and it makes a number of what is none.
MAGIC_INLINE Floats exponential(const Floats& x) {
  using at::vec::fmadd;
  const Floats lowest(-87.0f), bounded = at::vec::clamp_min(x, lowest);
  // truncation of a value <= -0.5 rounds x / log 2 to the nearest
  const auto n = at::vec::convert<int32_t>(fmadd(bounded, Floats(1.44269504088896341f), Floats(-0.5f)));
  const Floats whole = at::vec::convert<float>(n);
  const Floats r = fmadd(whole, Floats(2.12194440e-4f), fmadd(whole, Floats(-0.693359375f), bounded));
  Floats y = fmadd(r, Floats(1.9875691500e-4f), Floats(1.3981999507e-3f));
  y = fmadd(y, r, Floats(8.3334519073e-3f));
  y = fmadd(y, r, Floats(4.1665795894e-2f));
  y = fmadd(y, r, Floats(1.6666665459e-1f));
  y = fmadd(y, r, Floats(5.0000001201e-1f));
  y = fmadd(y * r, r, r) + Floats(1.0f);
  const auto bits = (n + at::vec::Vectorized<int32_t>(127)) << at::vec::Vectorized<int32_t>(23);
  return Floats::blendv(y * at::vec::cast<float>(bits), Floats(0.0f), x < lowest);
}

// 1 / (1 + exp(-x)), without an exponential that overflows
MAGIC_INLINE Floats sigmoid(const Floats& x) {
  const Floats e = exponential(x.abs().neg());
  return Floats::blendv(Floats(1.0f), e, x < Floats(0.0f)) / (e + Floats(1.0f));
}

// Lane after lane: the gradient of a key's bias comes out nearer to float64's than by halves.
MAGIC_INLINE float sum_in_order(const Floats& x) {
  float lanes[kLanes], sum = 0;
  x.store(lanes);
  for (int64_t lane = 0; lane < kLanes; lane++) sum += lanes[lane];
  return sum;
}

MAGIC_INLINE float sum_of(const Floats& x) {
  return at::vec::vec_reduce_all<float>([](const Floats& a, const Floats& b) { return a + b; }, x);
}

MAGIC_INLINE float largest_of(const Floats& x) {
  return at::vec::vec_reduce_all<float>([](const Floats& a, const Floats& b) { return at::vec::clamp_min(a, b); }, x);
}
