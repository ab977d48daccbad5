/* 1: values and gradients. Operations compute at once and are recorded; sslh_backward walks the record backwards. */
#define SSLH_IMPLEMENTATION
#include "ssl.h"
#include <stdio.h>

int main(void) {
    sslh_ctx *c = sslh_create((sslh_desc){ .seed = 1 });

    /* z = x^2 + x y at x = 3, y = 2, so dz/dx = 2 x + y = 8 and dz/dy = x = 3 */
    sslh_tensor *x = sslh_requires_grad(sslh_scalar(c, 3)), *y = sslh_requires_grad(sslh_scalar(c, 2));
    sslh_tensor *z = sslh_add(c, sslh_mul(c, x, x), sslh_mul(c, x, y));
    sslh_backward(c, z);
    printf("z %g, dz/dx %g, dz/dy %g\n\n", sslh_item(z), x->grad[0], y->grad[0]);

    /* Gradient descent: a line, slope t + height, is fitted to five points of the line 2 t + 1. */
    const float t[5] = { -2, -1, 0, 1, 2 }, h[5] = { -3, -1, 1, 3, 5 };
    float slope = 0, height = 0;
    for (int step = 0; step <= 60; step++) {
        sslh_begin_step(c);                                              /* frees the tensors of the step before */
        sslh_tensor *s = sslh_requires_grad(sslh_scalar(c, slope)), *b = sslh_requires_grad(sslh_scalar(c, height));
        sslh_tensor *line = sslh_add(c, sslh_mul(c, s, sslh_from(c, sslh_dim1(5), t)), b);    /* (5) */
        sslh_tensor *loss = sslh_mse(c, line, sslh_from(c, sslh_dim1(5), h));                 /* one number */
        sslh_backward(c, loss);
        if (step % 20 == 0)
            printf("step %2d  loss %.5f  slope %.3f  height %.3f\n", step, sslh_item(loss), slope, height);
        slope -= 0.1f * s->grad[0];
        height -= 0.1f * b->grad[0];
    }

    /* The first error is kept, and what follows does nothing: one look at the end is enough. */
    sslh_matmul(c, sslh_zeros(c, sslh_dim2(4, 8)), sslh_zeros(c, sslh_dim2(9, 3)));
    printf("\n%s\n", sslh_error(c));
    sslh_destroy(c);                                                     /* frees everything that c has made */
    return 0;
}
