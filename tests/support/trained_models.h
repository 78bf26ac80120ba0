/* trained_models.h - models that XGBoost trains for a test, now, on this machine. */
#ifndef REDRESS_TESTS_TRAINED_MODELS_H
#define REDRESS_TESTS_TRAINED_MODELS_H

/* Run "script FOLDER SEED" with Debian's Python, which has python3-xgboost, whatever else
 * is first in PATH. SEED comes from the environment, else from the clock; the script
 * prints it. *folder goes away when the program exits; NULL, and a line that says so,
 * when python3-xgboost is not installed. Returns 0, or what went wrong. */
int trained_models(const char *script, char **folder);

#endif
