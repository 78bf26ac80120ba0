/* tie.h - when numbers that were calculated are equal but for rounding. Private to
 * learn/. */
#ifndef REDRESS_LEARN_TIE_H
#define REDRESS_LEARN_TIE_H

/* Predictions that are equal by their formula differ in their last digits, of which four
 * bytes have seven, */
#define TIE_SHARE 1e-6

/* and eight bytes, as scores in a file are, sixteen. */
#define TIE_SHARE_DOUBLE 1e-13

#endif
