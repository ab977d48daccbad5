typedef struct golden_method { const char *method, *name; double size, sum; } golden_method;
static const golden_method golden_methods[] = {{"", "", 0, 0}};
