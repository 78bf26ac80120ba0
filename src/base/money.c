/* money.c - checked and rounded arithmetic of minor units, and ISO 4217. */
#include "base/money.h"

#include <assert.h>
#include <stdlib.h>

/* ISO 4217 list one, without funds, metals and test codes. Sorted. */
static const char currencies[][CURRENCY_BYTES] = {
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
    "BHD", "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD",
    "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP",
    "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
    "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR",
    "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD",
    "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK",
    "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO",
    "NOK", "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR",
    "RON", "RSD", "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE",
    "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP",
    "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VED", "VES", "VND",
    "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW", "ZWG",
};

static int compare_codes(const void *a, const void *b)
{
    return memcmp(a, b, CURRENCY_BYTES - 1);
}

bool currency_exists(struct text code)
{
    return code.bytes == CURRENCY_BYTES - 1 &&
           bsearch(code.at, currencies, sizeof currencies / sizeof *currencies,
                   sizeof *currencies, compare_codes);
}

int64_t money_share(int64_t minor, int bps)
{
    assert(minor >= -MONEY_MINOR_MAX && minor <= MONEY_MINOR_MAX);
    assert(bps >= 0 && bps <= BPS_WHOLE);

    /* Split so that the products stay within 64 bits for every amount. */
    int64_t whole = minor / BPS_WHOLE * bps;
    int64_t rest = minor % BPS_WHOLE * bps;
    int64_t half = rest < 0 ? -BPS_WHOLE / 2 : BPS_WHOLE / 2;

    return whole + (rest + half) / BPS_WHOLE;
}

int64_t money_round(int64_t minor, int64_t step, enum rounding rounding)
{
    assert(minor >= 0);
    assert(step > 0);

    int64_t rest = minor % step, down = minor - rest, up;
    bool goes_up = rest > 0 && (rounding == ROUND_UP ||
                                (rounding == ROUND_NEAREST && rest >= step - rest));

    /* No multiple of step above fits into 64 bits: the one below is the nearest. */
    if (!goes_up || __builtin_add_overflow(down, step, &up))
        return down;
    return up;
}

enum status money_add(int64_t a, int64_t b, int64_t *sum, struct err *err)
{
    int64_t total;

    if (__builtin_add_overflow(a, b, &total) || total > MONEY_MINOR_MAX ||
        total < -MONEY_MINOR_MAX)
        return err_set(err, STATUS_INVALID, "an amount is over %lld minor units",
                       (long long)MONEY_MINOR_MAX);
    *sum = total;
    return STATUS_OK;
}
