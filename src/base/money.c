/* money.c - shares of amounts, and ISO 4217. */
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

int64_t money_share(int64_t minor, int bps, int64_t step, enum rounding rounding)
{
    assert(minor >= 0 && minor <= MONEY_MINOR_MAX);
    assert(bps >= 0 && bps <= BPS_WHOLE);
    assert(step > 0);

    unsigned __int128 share = (unsigned __int128)minor * (unsigned)bps;
    unsigned __int128 unit = (unsigned __int128)step * BPS_WHOLE;
    int64_t steps = (int64_t)(share / unit);
    unsigned __int128 rest = share % unit;
    bool goes_up = (rounding == ROUND_UP && rest > 0) ||
                   (rounding == ROUND_NEAREST && 2 * rest >= unit);

    if (goes_up && step <= minor - steps * step)
        steps++;
    return steps * step;
}
