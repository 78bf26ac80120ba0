#!/usr/bin/python3
"""Print src/base/number_powers.c: the first 128 bits of powers of five, for base/number.c."""

LOW, HIGH = -60, 60  # NUMBER_POWER_LOW, NUMBER_POWER_HIGH


def first_bits(power):
    """5^power x 2^k with 128 bits: cut off, but rounded up where it is a quotient."""
    if power >= 0:
        five = 5**power
        shift = 128 - five.bit_length()
        return five << shift if shift >= 0 else five >> -shift
    five = 5**-power
    bits = (1 << (five.bit_length() + 127)) // five + 1
    return bits


print("/* number_powers.c - made by scripts/number_powers.py. */")
print('#include "base/number_powers.h"\n')
print("const uint64_t number_powers[NUMBER_POWER_HIGH - NUMBER_POWER_LOW + 1][2] = {")
for power in range(LOW, HIGH + 1):
    bits = first_bits(power)
    assert bits.bit_length() == 128
    print(f"    {{0x{bits >> 64:016x}, 0x{bits & (1 << 64) - 1:016x}}}, /* {power} */")
print("};")
