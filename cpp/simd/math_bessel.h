// Bessel and Airy functions of doubles, one element at a time.
//
// Chebyshev series of our own computation (200 bits) for the part of each function that is smooth: after taking off the
// exponential and the root at large arguments (Abramowitz and Stegun 9.7, 10.4), the logarithm at small ones (9.6.13).
#pragma once

#include "simd/vec.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-const-variable"

namespace pydl::simd::PYDL_ISA {
namespace {

inline constexpr double kI0Small[] = {0x1.8137aa3e8aa0bp-2,  -0x1.4684493ba503fp-2,  0x1.5139d0f1045a6p-3,  -0x1.4bba9203a9710p-4,
                                      0x1.2a4e8eb6a6aa5p-5,  -0x1.e5b76fa432c98p-7,  0x1.65fcc05ac052fp-8,  -0x1.df6dffe125992p-10,
                                      0x1.2518e8612b5ccp-11, -0x1.48e3bc2c6778fp-13, 0x1.546e094654320p-15, -0x1.469d850557df5p-17,
                                      0x1.23c07cceb198bp-19, -0x1.e743c428937f5p-22, 0x1.7dd05113ac3fcp-24, -0x1.19b246b4563dcp-26,
                                      0x1.889542ab2ebb2p-29, -0x1.031a5867fe1cap-31, 0x1.44c77f2f4a9e0p-34, -0x1.83820086c8895p-37,
                                      0x1.b90ed7d4abeb8p-40, -0x1.dfd9b81b9adf2p-43, 0x1.f3f0188b2dda2p-46, -0x1.f3a7d41468fbap-49,
                                      0x1.dfcceb8a12b58p-52, -0x1.bb54a65fade38p-55, 0x1.8ab3e0e94ee72p-58};
inline constexpr double kI0Large[] = {0x1.9d213d9f0746bp-2,   0x1.2f9c9e2998368p-8,   0x1.1ce365cf44b5bp-13,  0x1.27801fef97795p-17,
                                      0x1.0df48b86c9704p-20,  0x1.3a467e94d61ccp-23,  0x1.9ffbbd99500acp-27,  -0x1.5dea6777cc0c2p-28,
                                      -0x1.8a6f0cf1ed56bp-29, -0x1.fd83f50790027p-32, 0x1.5be51cd188b19p-33,  0x1.7f0caa26ce2f3p-34,
                                      -0x1.be920dcb90b49p-40, -0x1.858b8fe1fbf59p-37, -0x1.400609acf0109p-40, 0x1.938d91d3ebcd5p-40,
                                      0x1.179ee5c19b790p-42,  -0x1.d97ee4605bca0p-43, -0x1.633eaa25cf07bp-45, 0x1.3ec4e70e3506ep-45,
                                      0x1.618e62b1065cfp-48,  -0x1.d77260f538fddp-48, -0x1.21b30fbf284cep-52, 0x1.6532c1121a05cp-50,
                                      -0x1.1f4f10bf9dac5p-53, -0x1.fde37f63a01ebp-53, 0x1.27fc3539725f4p-54,  0x1.2a61901a00b3ap-55,
                                      -0x1.75b1aa77372e7p-56, -0x1.3f19e3ab89016p-59, 0x1.6a12c59e312c1p-58};
inline constexpr double kI1Small[] = {0x1.2ce93602498a1p-3,  -0x1.8024e5dccfbc4p-3,  0x1.8b7d85f9d2a06p-4,  -0x1.60bb1924ef67ap-5,
                                      0x1.1760af1dad2ecp-6,  -0x1.8e3e65467cd6cp-8,  0x1.01bde3ca50a04p-9,  -0x1.311c1ec591e33p-11,
                                      0x1.4c51b1262e34ap-13, -0x1.4ecbdf41e590cp-15, 0x1.3975d46a4fa4ap-17, -0x1.11e8873f337eap-19,
                                      0x1.c07c078e0c7a4p-22, -0x1.5931ce4bdf587p-24, 0x1.f52e216b1017bp-27, -0x1.5824151794d57p-29,
                                      0x1.c03b8cc5eccc1p-32, -0x1.1584c93a84927p-34, 0x1.477138cd2b6f8p-37, -0x1.70e3dc291e1a4p-40,
                                      0x1.8d905206888e2p-43, -0x1.9a9c767309b7cp-46, 0x1.9714a29563396p-49, -0x1.83fcb86cdb959p-52,
                                      0x1.6401c0f518272p-55, -0x1.3ae79b1ca338ap-58, 0x1.0cdaf2187f065p-61};
inline constexpr double kI1Large[] = {0x1.8b2c2ebcc58ebp-2,   -0x1.b1b0ad37135ecp-7,  -0x1.c10ba3da022cfp-13, -0x1.83c4d11500d11p-17,
                                      -0x1.4537cade478c9p-20, -0x1.707592f4c687ep-23, -0x1.06b2ac64b0ea6p-26, 0x1.60cd93412d0dcp-28,
                                      0x1.a9f268543fe37p-29,  0x1.2680dff61fac7p-31,  -0x1.5a6970d90e692p-33, -0x1.9cb1d2c1023c2p-34,
                                      0x1.5ad6d306749a7p-43,  0x1.97c287459bc05p-37,  0x1.8341794b51791p-40,  -0x1.9f6d7da821f0bp-40,
                                      -0x1.3ec3802614aaep-42, 0x1.e3d234f6b5104p-43,  0x1.919544203853ep-45,  -0x1.45ca3bd893512p-45,
                                      -0x1.9a0534ae01a0dp-48, 0x1.e44945f0b4ba2p-48,  0x1.a8e793e57672cp-52,  -0x1.71d74c04fec94p-50,
                                      0x1.f7a99bbd4e94bp-54,  0x1.0aed72ee19627p-52,  -0x1.22a625de67794p-54, -0x1.3ef4084d0f3e1p-55,
                                      0x1.79e65ef415d9dp-56,  0x1.7a424eadaa440p-59,  -0x1.749c38f16b048p-58};
inline constexpr double kK0Small[] = {-0x1.12166e9d2f61fp-2, 0x1.608d881213db9p-2,  0x1.26bf6554a9085p-5,  0x1.4b82e75633d73p-10,
                                      0x1.7f900fe8cfca0p-16, 0x1.102bce7f95efcp-22, 0x1.05c1367e58a13p-29, 0x1.6c25c475120bep-37,
                                      0x1.7fb0ac384a073p-45, 0x1.3cee1e6b887dcp-53, 0x1.a593b9ae0e9dcp-62};
inline constexpr double kK1Small[] = {0x1.867a1361008cap-1,   -0x1.69a1b757b0dd4p-2,  -0x1.f637243c1db74p-4,  -0x1.c92939d7d4192p-8,
                                      -0x1.6ade2e5a3bd02p-13, -0x1.469b32c832e3ap-19, -0x1.7c41d145c31d0p-26, -0x1.3663bb84626cap-33,
                                      -0x1.77502ddd0e045p-41, -0x1.5dd517a0399e0p-49, -0x1.032283d3cda56p-57};
inline constexpr double kK0Large[] = {
    0x1.385bd9f4e6907p+0,   -0x1.019f72d4ff71ep-5,  0x1.9b891fca79342p-10,  -0x1.0d797e7889f42p-13, 0x1.d413fcc7470a9p-17,
    -0x1.ebb547f18d3a9p-20, 0x1.2915981e3e46fp-22,  -0x1.905541b54f2afp-25, 0x1.269a0033f428ep-27,  -0x1.d29d5f22bf5e2p-30,
    0x1.8956c819ff63dp-32,  -0x1.5df95d2e7ca15p-34, 0x1.46808475fbf4dp-36,  -0x1.3dafc3f00540bp-38, 0x1.40fa32fcce645p-40,
    -0x1.4f87721a3b2dbp-42, 0x1.69c4ecd913e48p-44,  -0x1.9145ebaf9922fp-46, 0x1.c8d9c4a6808e8p-48,  -0x1.0a690ed1130d0p-49,
    0x1.3dbf96cd7929dp-51,  -0x1.82f947bd75936p-53, 0x1.e092e5c062a6ap-55,  -0x1.2feccb331b557p-56, 0x1.871a5cf6ebbb5p-58};
inline constexpr double kK1Large[] = {
    0x1.5c3d7aa062c8ap+0,   0x1.a9abef9e023fbp-4,   -0x1.76946be66b48ap-9,  0x1.9965888f6908ep-13,  -0x1.44d711dcdb2e5p-16,
    0x1.42fe31752d1b6p-19,  -0x1.780528fada5c6p-22, 0x1.ed27c668fc461p-25,  -0x1.637a49fe1e088p-27, 0x1.14f242a73d252p-29,
    -0x1.ccbc00365cf5fp-32, 0x1.956d008a43059p-34,  -0x1.76b539401d12cp-36, 0x1.69ab846c05207p-38,  -0x1.6adec61fc71a4p-40,
    0x1.78ffa0409e616p-42,  -0x1.94465d4c8014bp-44, 0x1.be3e9590877a3p-46,  -0x1.f9d52362a3e00p-48, 0x1.25cedf006519fp-49,
    -0x1.5d2a3d9ce2a50p-51, 0x1.a7d5e4c65543cp-53,  -0x1.0661525866f5ap-54, 0x1.4af1aa55c043fp-56,  -0x1.a8c5d42a4b314p-58};
inline constexpr double kAiryMiddle[] = {0x1.c3e3a633018acp-4,   0x1.46bbcdea73cacp-4,   -0x1.9eadaf54ba166p-4,  -0x1.dd0a02fcbabf1p-3,
                                         0x1.d43d23f10c607p-3,   -0x1.b2e649c325e1cp-9,  -0x1.43778e767fa45p-4,  0x1.1c35bf7ed4bd2p-5,
                                         0x1.9bb57b5ca3431p-9,   -0x1.d69d6bd938003p-8,  0x1.fe13a5c3ec80cp-10,  0x1.3d08cdcce580bp-12,
                                         -0x1.41c8d9895705fp-12, 0x1.d9272fb0c0f5dp-15,  0x1.96bdff66d4d17p-17,  -0x1.ffaf7fbc1b5cdp-18,
                                         0x1.083313fbd13b6p-20,  0x1.2abe144ab4859p-22,  -0x1.09cd3b19d41f5p-23, 0x1.81c959df4acfcp-27,
                                         0x1.1fbe0ac202691p-28,  -0x1.84bd76d4e9c9cp-30, 0x1.7f988eca601cdp-34,  0x1.89550fb8cca0bp-35,
                                         -0x1.a5757a76a3334p-37, 0x1.02b5615b3e9bap-41,  0x1.923649bdb5321p-42,  -0x1.5fe6ae62bc4c4p-44,
                                         0x1.a5af015e2ce9bp-50,  0x1.3fa01d3788a7ap-49,  -0x1.d200a81dbca9ap-52, 0x1.59cc4c83b3d2cp-61,
                                         0x1.965f97243662fp-57,  -0x1.f4c932e9d2b26p-60, -0x1.cbc579d3bc020p-66, 0x1.a6d9aaa4f0602p-65};
inline constexpr double kAiryLarge[] = {
    0x1.f803f8dd4194fp-1,   -0x1.e4badf92f0698p-7,  0x1.8027b6119ca99p-11,  -0x1.00f0eec77d5afp-14, 0x1.caac670d169d2p-18,
    -0x1.efeb84cedc369p-21, 0x1.346d52b669db2p-23,  -0x1.aba96d0e939bcp-26, 0x1.43a78ffb4b7e2p-28,  -0x1.07707202858f2p-30,
    0x1.c834c8a5f387ap-33,  -0x1.a0b1c6e6db0c8p-35, 0x1.8eda827e9a573p-37,  -0x1.8df6dfaa1aa23p-39, 0x1.9c1e947dc07d1p-41,
    -0x1.b9591e92f35b6p-43, 0x1.e74cc999dbc9ap-45,  -0x1.14a33407d0d9dp-46, 0x1.42441e5f90db4p-48,  -0x1.8071c47eb60a8p-50,
    0x1.d4d85135aae64p-52,  -0x1.23d2d8fabb65ep-53, 0x1.72547d78958f2p-55,  -0x1.de81ec63c2c96p-57, 0x1.3a6e9fb7ca75bp-58};
inline constexpr double kAiryP[] = {0x1.ffc57d5b73879p-1,  -0x1.d00db8eae18a7p-12, 0x1.f6d895758227ep-19, -0x1.88e684cb23df0p-24,
                                    0x1.1795d98b8c76cp-28, -0x1.27bd03de55c2dp-32, 0x1.9fc84ee77d2afp-36, -0x1.6a913d1aa0c5ep-39,
                                    0x1.76a439cc44618p-42, -0x1.bc410014e34f2p-45, 0x1.274ca2e5ea2cap-47, -0x1.b07299936022ap-50,
                                    0x1.5818a0eda32a3p-52, -0x1.26597533973ddp-54, 0x1.0c5ce649a4154p-56, -0x1.02ed6be79edfdp-58};
inline constexpr double kAiryQ[] = {0x1.63461989753d3p-7,  -0x1.20fc587dd9e6bp-14, 0x1.28777588d1cf0p-20, -0x1.4b1d749025a57p-25,
                                    0x1.2b954f3e7aff9p-29, -0x1.7a48139476390p-33, 0x1.315f79185dae4p-36, -0x1.2a0331e23dd7ap-39,
                                    0x1.5266292d0756cp-42, -0x1.b3151238b6bd3p-45, 0x1.365c7a9b1f4d9p-47, -0x1.e3d5efdb5a908p-50,
                                    0x1.972de73dfa5ebp-52, -0x1.6e704c6ce2ca3p-54, 0x1.5deba402a7caap-56, -0x1.604c1186e3913p-58,
                                    0x1.73f66d57c2b36p-60, -0x1.99fef1ddd5c5fp-62, 0x1.d5fa496b395ddp-64};

// Sum of c[k] T_k(t) by Clenshaw's recurrence.
template <int N>
inline double chebyshev_sum(double t, const double (&c)[N]) {
  double b1 = 0, b2 = 0;
  for (int k = N - 1; k > 0; --k) {
    const double b = 2 * t * b1 - b2 + c[k];
    b2 = b1;
    b1 = b;
  }
  return t * b1 - b2 + c[0];
}

// I0(x) e^-|x| and I1(x) e^-|x|.
inline double bessel_i0e(double x) {
  x = __builtin_fabs(x);
  if (x <= 6) return chebyshev_sum(x / 3 - 1, kI0Small);
  return chebyshev_sum(12 / x - 1, kI0Large) / __builtin_sqrt(x);
}
inline double bessel_i1e(double x) {
  const double a = __builtin_fabs(x);
  if (a <= 6) return x * chebyshev_sum(a / 3 - 1, kI1Small);
  return __builtin_copysign(chebyshev_sum(12 / a - 1, kI1Large) / __builtin_sqrt(a), x);
}
// In two factors: e^x alone overflows before the product does.
inline double times_exp(double y, double x) {
  const double half = __builtin_exp(x / 2);
  return y * half * half;
}
inline double bessel_i0(double x) { return x - x == 0 ? times_exp(bessel_i0e(x), __builtin_fabs(x)) : x * x; }
inline double bessel_i1(double x) { return x - x == 0 ? times_exp(bessel_i1e(x), __builtin_fabs(x)) : x; }

// K0 and K1, and those times e^x.
template <bool Scaled>
inline double bessel_k0(double x) {
  if (!(x > 0)) return x == 0 ? __builtin_inf() : __builtin_nan("");
  if (x <= 2) {
    const double y = chebyshev_sum(x * x / 2 - 1, kK0Small) - __builtin_log(x / 2) * bessel_i0(x);
    return Scaled ? y * __builtin_exp(x) : y;
  }
  const double y = chebyshev_sum(4 / x - 1, kK0Large) / __builtin_sqrt(x);
  return Scaled ? y : y * __builtin_exp(-x);
}
template <bool Scaled>
inline double bessel_k1(double x) {
  if (!(x > 0)) return x == 0 ? __builtin_inf() : __builtin_nan("");
  if (x <= 2) {
    const double y = chebyshev_sum(x * x / 2 - 1, kK1Small) / x + __builtin_log(x / 2) * bessel_i1(x);
    return Scaled ? y * __builtin_exp(x) : y;
  }
  const double y = chebyshev_sum(4 / x - 1, kK1Large) / __builtin_sqrt(x);
  return Scaled ? y : y * __builtin_exp(-x);
}

inline double airy_ai(double x) {
  constexpr double root_pi = 0x1.c5bf891b4ef6ap+0, quarter_pi = 0x1.921fb54442d18p-1;
  if (!(x - x == 0)) return __builtin_nan("");
  if (x >= -4.5 && x <= 2) return chebyshev_sum((x + 1.25) / 3.25, kAiryMiddle);
  const double a = __builtin_fabs(x), root = __builtin_sqrt(a), zeta = 2 * a * root / 3, scale = 1 / (root_pi * __builtin_sqrt(root));
  if (x > 0) return 0.5 * scale * __builtin_exp(-zeta) * chebyshev_sum(2 * (4 * 0x1.6a09e667f3bcdp+0 / 3) / zeta - 1, kAiryLarge);
  constexpr double first = 2 * 4.5 * 0x1.0f876ccdf6cdap+1 / 3;  // zeta at -4.5
  const double ratio = first / zeta, t = 2 * ratio * ratio - 1, angle = zeta + quarter_pi;
  return scale * (chebyshev_sum(t, kAiryP) * __builtin_sin(angle) - ratio * chebyshev_sum(t, kAiryQ) * __builtin_cos(angle));
}

// sin(x) / x
inline double spherical_j0(double x) {
  if (__builtin_isinf(x)) return 0;
  return x == 0 ? 1 : __builtin_sin(x) / x;
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop
