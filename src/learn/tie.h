/* tie.h - when numbers that were calculated are equal but for rounding. Private to learn/. */
#ifndef REDRESS_LEARN_TIE_H
#define REDRESS_LEARN_TIE_H

/* Differences of predictions that are equal by their formula differ in their last digits, of which four bytes
 * have seven. */
#define TIE_SHARE 1e-6

#endif
