/* figure.h - numbers in results for people: "-" where there is none. */
#ifndef REDRESS_APP_FIGURE_H
#define REDRESS_APP_FIGURE_H

enum { FIGURE_BYTES = 64 };

struct figure {
    char text[FIGURE_BYTES];
};

/* As %g has it with so many digits; "-" of what is not finite. */
struct figure figure(double value, int digits);

/* "[0.1, 0.3]" behind so many blanks; empty where there is no value, or none of its
 * ends. */
struct figure figure_interval(double value, double low, double high, int digits,
                              int blanks);

#endif
