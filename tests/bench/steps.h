static int serve_steps(int threads) { (void)threads; return 0; }
static void memory_cases(void) {}
static void step_cases(void) {}
static void augment_cases(void) {}
