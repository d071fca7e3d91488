// Float functions by table, for AVX-512: 16 polynomials whose coefficients lie in one register for each power, from which
// a permutation picks those of every lane.
//
// Interval k is centred at k widths. The value at the centre is in two words, so that an error is made in the last addition
// alone. Polynomials: minimax by Lawson's iteration, refitted after each coefficient was rounded.
#pragma once

#include "simd/vec.h"

#if PYDL_ISA_LEVEL == 2

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

namespace pydl::simd::PYDL_ISA {
namespace {

// Rows: the centre's value, its rest, the coefficients of d, d^2, ...
template <int Rows>
using FloatTable = float[Rows][16];

PYDL_INLINE Vec<float> pick(const float (&row)[16], Vec<int32_t> index) {
  return _mm512_maskz_permutexvar_ps(0xffff, (__m512i)index.raw, _mm512_loadu_ps(row));
}

// The polynomial of the interval of a, without the value at the centre, and that value. 0 <= a < 15.5 widths; the width
// has few bits.
struct TableValue {
  Vec<float> centre, rest;
  Vec<int32_t> index;
  // With a itself as the value at the centre of interval 0, whose polynomial is then that of the difference.
  PYDL_INLINE Vec<float> sum_from(Vec<float> a) const {
    const Mask<float> first{_mm512_testn_epi32_mask((__m512i)index.raw, _mm512_set1_epi32(15))};
    return select(first, a, centre) + rest;
  }
};
template <int Rows>
PYDL_INLINE TableValue table_value(const FloatTable<Rows>& table, float width, Vec<float> a) {
  const Vec<float> magic(FloatTraits<float>::round_magic);
  const Vec<float> shifted = mul_add(a, Vec<float>(1 / width), magic);
  const Vec<int32_t> index = bit_cast<int32_t>(shifted);  // the permutation looks at the lowest four bits
  const Vec<float> d = neg_mul_add(shifted - magic, Vec<float>(width), a);
  Vec<float> rest = pick(table[Rows - 1], index);
#pragma GCC unroll 16
  for (int i = Rows - 2; i >= 1; --i) rest = mul_add(rest, d, pick(table[i], index));
  return {pick(table[0], index), rest, index};
}

inline constexpr float kErfWidth = 0.2578125f;
inline constexpr FloatTable<8> kErfTable = {
    {0.0f, 0x1.236bf0p-2f, 0x1.117894p-1f, 0x1.73b102p-1f, 0x1.b5e630p-1f, 0x1.dd0788p-1f, 0x1.f14e82p-1f, 0x1.fa84fep-1f, 0x1.fe3080p-1f,
     0x1.ff789ep-1f, 0x1.ffdd18p-1f, 0x1.fff810p-1f, 0x1.fffe68p-1f, 0x1.ffffb8p-1f, 0x1.fffff4p-1f, 0x1.fffffep-1f},
    {0.0f, -0x1.f75652p-28f, -0x1.ea7de8p-26f, 0x1.fbceb0p-29f, -0x1.8ee2d2p-28f, -0x1.5cdccap-27f, 0x1.1ed1c6p-29f, 0x1.780bb0p-27f,
     -0x1.a96772p-26f, 0x1.6c2242p-26f, -0x1.5e3e4ep-26f, -0x1.dba2f4p-31f, 0x1.e9f58ep-26f, 0x1.cf2abap-28f, 0x1.bbc040p-26f,
     0x1.ed3218p-27f},
    {0x1.06eba8p-3f, 0x1.0e4a08p+0f, 0x1.bada5ap-1f, 0x1.3da26ep-1f, 0x1.8eed38p-2f, 0x1.b6a856p-3f, 0x1.a64de6p-4f, 0x1.63f3f4p-5f,
     0x1.06ae12p-6f, 0x1.536fc2p-8f, 0x1.8005f6p-10f, 0x1.7c62aep-12f, 0x1.49e1a0p-14f, 0x1.f4f1acp-17f, 0x1.4d02cap-19f, 0x1.83a32cp-22f},
    {0.0f, -0x1.16bc56p-2f, -0x1.c8b12cp-2f, -0x1.eb5742p-2f, -0x1.9b64a0p-2f, -0x1.1aba80p-2f, -0x1.46a040p-3f, -0x1.413122p-4f,
     -0x1.0ee382p-5f, -0x1.89cca6p-7f, -0x1.ef07a6p-9f, -0x1.0dafecp-10f, -0x1.fe48e2p-13f, -0x1.a3bc50p-15f, -0x1.2c7d50p-17f,
     -0x1.76c3e0p-20f},
    {-0x1.81265ep-2f, -0x1.387c8ep-2f, -0x1.148152p-3f, 0x1.4cad5ap-5f, 0x1.2bb366p-3f, 0x1.53b900p-3f, 0x1.0a7384p-3f, 0x1.471d60p-4f,
     0x1.48b2a8p-5f, 0x1.144afcp-6f, 0x1.89677ap-8f, 0x1.de247ep-10f, 0x1.f2aa64p-12f, 0x1.bfef4ap-14f, 0x1.5b8288p-16f, 0x1.d2aa22p-19f},
    {0.0f, 0x1.0a5fd8p-3f, 0x1.77bdc4p-3f, 0x1.27655ep-3f, 0x1.dee220p-5f, -0x1.e78fa8p-7f, -0x1.84d310p-5f, -0x1.7834d2p-5f,
     -0x1.f159f0p-6f, -0x1.fdd3d2p-7f, -0x1.a8a272p-8f, -0x1.2610fcp-9f, -0x1.57315cp-11f, -0x1.546208p-13f, -0x1.2093c4p-15f,
     -0x1.a40572p-18f},
    {0x1.cb95f6p-4f, 0x1.408b0ep-4f, 0x1.8cbc60p-9f, -0x1.cc0498p-5f, -0x1.143fd0p-4f, -0x1.58f378p-5f, -0x1.417c88p-7f, 0x1.278dfap-7f,
     0x1.a78694p-7f, 0x1.334a4cp-7f, 0x1.411cdap-8f, 0x1.0807a6p-9f, 0x1.626efap-11f, 0x1.8c1b7cp-13f, 0x1.74fbb2p-15f, 0x1.2a42aep-17f},
    {0.0f, -0x1.500022p-5f, -0x1.925bd2p-5f, -0x1.86fe28p-6f, 0x1.f942a4p-8f, 0x1.66dff8p-6f, 0x1.2056a2p-6f, 0x1.bb6bd6p-8f,
     -0x1.9654eap-11f, -0x1.93e932p-9f, -0x1.42bc60p-9f, -0x1.5370fcp-10f, -0x1.0faa12p-11f, -0x1.5cae10p-13f, -0x1.7078c4p-15f,
     -0x1.457ad0p-17f},
};
inline constexpr float kTanhWidth = 0.5859375f;
inline constexpr FloatTable<9> kTanhTable = {
    {0.0f, 0x1.0dceb0p-1f, 0x1.a655aap-1f, 0x1.e26faap-1f, 0x1.f6a7c4p-1f, 0x1.fd163ap-1f, 0x1.ff1884p-1f, 0x1.ffb83ep-1f, 0x1.ffe9c4p-1f,
     0x1.fff91cp-1f, 0x1.fffddep-1f, 0x1.ffff56p-1f, 0x1.ffffccp-1f, 0x1.fffff0p-1f, 0x1.fffffap-1f, 0x1.fffffep-1f},
    {0.0f, 0x1.e938cap-30f, 0x1.e4db6ap-28f, 0x1.c2d472p-28f, 0x1.ae1d2ep-26f, -0x1.4fb034p-26f, -0x1.a0eeaep-28f, 0x1.b2f28ep-26f,
     0x1.b59b56p-27f, 0x1.75abe8p-26f, -0x1.f6d53ap-28f, 0x1.8f66a8p-26f, -0x1.b01abap-27f, -0x1.eaa8bap-28f, 0x1.f03c90p-26f,
     0x1.c421a0p-27f},
    {0x1.000000p+0f, 0x1.71d1fep-1f, 0x1.474176p-2f, 0x1.cb5d4ap-4f, 0x1.284cd0p-5f, 0x1.73d3c2p-7f, 0x1.ce8fc0p-9f, 0x1.1ef07ep-10f,
     0x1.63b170p-12f, 0x1.b8ce54p-14f, 0x1.111edcp-15f, 0x1.527062p-17f, 0x1.a36020p-19f, 0x1.03d54ep-20f, 0x1.41f86cp-22f,
     0x1.8ef798p-24f},
    {0.0f, -0x1.85c442p-2f, -0x1.0df1cep-2f, -0x1.b0d6e2p-4f, -0x1.22e462p-5f, -0x1.71b62ap-7f, -0x1.cdbea8p-9f, -0x1.1ec84cp-10f,
     -0x1.63a208p-12f, -0x1.b8c872p-14f, -0x1.111dc0p-15f, -0x1.526ffap-17f, -0x1.a36002p-19f, -0x1.03d54cp-20f, -0x1.41f86ep-22f,
     -0x1.8ef79cp-24f},
    {-0x1.5554b6p-2f, -0x1.493dbep-5f, 0x1.c65710p-4f, 0x1.fd72f4p-5f, 0x1.75a226p-6f, 0x1.e7543ep-8f, 0x1.32bddap-9f, 0x1.7df4f6p-11f,
     0x1.da045cp-13f, 0x1.25d2eep-14f, 0x1.6c2476p-16f, 0x1.c33e94p-18f, 0x1.17951cp-19f, 0x1.5a714cp-21f, 0x1.ad4b68p-23f,
     0x1.09fa46p-24f},
    {0.0f, 0x1.2f3a48p-3f, -0x1.d82e2ep-9f, -0x1.7f1144p-6f, -0x1.59cb78p-7f, -0x1.dc2862p-9f, -0x1.308d16p-10f, -0x1.7d18d2p-12f,
     -0x1.d9a850p-14f, -0x1.25bd2cp-15f, -0x1.6c170ep-17f, -0x1.c333b0p-19f, -0x1.178e8cp-20f, -0x1.5a6abcp-22f, -0x1.ad43f8p-24f,
     -0x1.09f610p-25f},
    {0x1.10b88ap-3f, -0x1.8cf20ep-5f, -0x1.b8fae6p-6f, 0x1.f0f5c0p-9f, 0x1.d2cf72p-9f, 0x1.6b6b9ap-10f, 0x1.e06ba2p-12f, 0x1.2f9a84p-13f,
     0x1.7a5ec6p-15f, 0x1.d5dabcp-17f, 0x1.2347e2p-18f, 0x1.6900dep-20f, 0x1.bf4a30p-22f, 0x1.153b6ap-23f, 0x1.575b52p-25f,
     0x1.a99ab4p-27f},
    {0.0f, -0x1.090266p-5f, 0x1.18747cp-6f, 0x1.085914p-9f, -0x1.8a8cc8p-11f, -0x1.b79cc8p-12f, -0x1.3a1c1ap-13f, -0x1.95636ap-15f,
     -0x1.fd136ap-17f, -0x1.3ca57ep-18f, -0x1.88d454p-20f, -0x1.e6d6f0p-22f, -0x1.2dd480p-23f, -0x1.75c89cp-25f, -0x1.cef7f8p-27f,
     -0x1.1ecfa6p-28f},
    {-0x1.9de636p-5f, 0x1.d8442cp-6f, -0x1.a6513ep-9f, -0x1.fbb228p-10f, -0x1.370b56p-17f, 0x1.7a2164p-14f, 0x1.4ea242p-15f,
     0x1.c195bcp-17f, 0x1.22f47ap-18f, 0x1.664074p-20f, 0x1.bcab1cp-22f, 0x1.13d68ap-23f, 0x1.58adb8p-25f, 0x1.a24dfap-27f, 0x1.0af0fep-28f,
     0x1.44f28ep-30f},
};
inline constexpr float kNormalWidth = 0.25f;
inline constexpr FloatTable<8> kNormalTable = {
    {0x1.000000p-1f, 0x1.9aecbap-2f, 0x1.3bf144p-2f, 0x1.d02200p-3f, 0x1.44ed0cp-3f, 0x1.b0bdd2p-4f, 0x1.11a46ep-4f, 0x1.482a24p-5f,
     0x1.74bcf8p-6f, 0x1.909250p-7f, 0x1.96f4e6p-8f, 0x1.869044p-9f, 0x1.61de20p-10f, 0x1.2e86fep-11f, 0x1.e7dbcap-13f, 0x1.72d956p-14f},
    {0x1.42df1ep-44f, 0x1.3a3f30p-27f, -0x1.19569ap-28f, 0x1.5ae6eep-29f, -0x1.20a976p-29f, -0x1.a880ccp-29f, -0x1.da3338p-30f,
     0x1.45c842p-33f, 0x1.64218ap-33f, -0x1.bd11b4p-32f, -0x1.04db56p-33f, -0x1.6e28b6p-34f, -0x1.a24ca6p-36f, -0x1.0656fcp-36f,
     -0x1.a3622cp-38f, 0x1.4b0bdep-40f},
    {-0x1.988454p-2f, -0x1.8bf2bap-2f, -0x1.6883d0p-2f, -0x1.345d5ep-2f, -0x1.ef8e58p-3f, -0x1.7610bap-3f, -0x1.094086p-3f, -0x1.616454p-4f,
     -0x1.ba4b44p-5f, -0x1.0402e0p-5f, -0x1.1f2f06p-6f, -0x1.29fa54p-7f, -0x1.227214p-8f, -0x1.09f38ep-9f, -0x1.c9897ep-11f,
     -0x1.71b930p-12f},
    {0x1.557a0cp-20f, 0x1.8bf2bap-5f, 0x1.6883d0p-4f, 0x1.ce8c0ap-4f, 0x1.ef8e56p-4f, 0x1.d394eap-4f, 0x1.8de0cap-4f, 0x1.3537cap-4f,
     0x1.ba4b44p-5f, 0x1.24833cp-5f, 0x1.66facap-6f, 0x1.99b834p-7f, 0x1.b3ab20p-8f, 0x1.b02bc6p-9f, 0x1.90584ep-10f, 0x1.5a9d98p-11f},
    {0x1.10276ap-4f, 0x1.eeeea6p-5f, 0x1.6882a4p-5f, 0x1.67b2c0p-6f, -0x1.ab0e92p-20f, -0x1.188628p-6f, -0x1.ba1146p-6f, -0x1.e5e782p-6f,
     -0x1.ba4a28p-6f, -0x1.601902p-6f, -0x1.f6913ep-7f, -0x1.45eacap-7f, -0x1.8342ecp-8f, -0x1.a7dc54p-9f, -0x1.acf03cp-10f,
     -0x1.92747ap-11f},
    {0x1.86dc54p-11f, -0x1.83b1e4p-7f, -0x1.4a7764p-6f, -0x1.77beacp-6f, -0x1.4a5388p-6f, -0x1.c02d30p-7f, -0x1.8e0100p-8f, 0x1.9b2b8ap-12f,
     0x1.26d56ap-8f, 0x1.9231a0p-8f, 0x1.84d9cep-8f, 0x1.379144p-8f, 0x1.b3a882p-9f, 0x1.105c8cp-9f, 0x1.34986ep-10f, 0x1.3f8b46p-11f},
    {-0x1.f93b14p-7f, -0x1.147136p-7f, -0x1.2a2cd8p-8f, 0x1.5ad738p-12f, 0x1.0cc704p-8f, 0x1.825854p-8f, 0x1.7c0972p-8f, 0x1.185c2ep-8f,
     0x1.255414p-9f, 0x1.e613f8p-12f, -0x1.5e6faep-11f, -0x1.23ecd8p-10f, -0x1.21f510p-10f, -0x1.c58e42p-11f, -0x1.2fd0ccp-11f,
     -0x1.678c80p-12f},
    {0x1.eb4538p-7f, 0x1.f6e3c2p-10f, 0x1.8f021ep-9f, 0x1.6e712cp-9f, 0x1.ebe206p-10f, 0x1.6e307ap-11f, -0x1.2282cep-11f, -0x1.47bf3ep-10f,
     -0x1.5a7498p-10f, -0x1.010d28p-10f, -0x1.f97e42p-12f, -0x1.0f26b4p-13f, 0x1.db79b0p-14f, 0x1.8e59b2p-13f, 0x1.7c1c18p-13f,
     0x1.14d424p-13f},
};

PYDL_INLINE Vec<float> erf_by_table(Vec<float> x) {
  // From 3.92 on, 1.
  const Vec<float> a = min_second(Vec<float>(3.95f), abs(x));
  return copysign(table_value<8>(kErfTable, kErfWidth, a).sum_from(a), x);
}
PYDL_INLINE Vec<float> tanh_by_table(Vec<float> x) {
  // From 9.02 on, 1.
  const TableValue y = table_value<9>(kTanhTable, kTanhWidth, min_second(Vec<float>(9.07f), abs(x)));
  return copysign(y.centre + y.rest, x);
}
// x Phi(x) where |x| is below the bound.
inline constexpr float kGeluTableEnd = 3.8125f;
PYDL_INLINE Vec<float> gelu_by_table(Vec<float> x) {
  const TableValue tail = table_value<8>(kNormalTable, kNormalWidth, abs(x));
  const Vec<float> q = tail.centre + tail.rest, q_lo = (tail.centre - q) + tail.rest;
  const Vec<float> lo = x * q_lo;
  return select(x > 0.0f, neg_mul_add(x, q, x) - lo, -mul_add(-x, q, -lo));
}

}  // namespace
}  // namespace pydl::simd::PYDL_ISA

#pragma GCC diagnostic pop

#endif
