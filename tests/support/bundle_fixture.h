/* bundle_fixture.h - a bundle of linear models whose effects are easy to work out. */
#ifndef REDRESS_TESTS_BUNDLE_FIXTURE_H
#define REDRESS_TESTS_BUNDLE_FIXTURE_H

/* A T-learner: features tenure (float), issue (category: late, cold), vip (bool); arms
 * listed as big (dose 1000), small (dose 400).
 *   mu0 = tenure, mu1 of small = 3 tenure + 10, mu1 of big = 5 tenure + 20 vip,
 *   cost of small 300, of big 800; effects in minor units: x 2. */
extern const char bundle_small[];

/* An S-learner: feature tenure; the dose is appended; outcome = tenure + 0.5 dose. */
extern const char bundle_s_learner[];

#endif
