/* x times weights, plus a bias, for few outputs: the weights of each output lie side by side. */
STACKENS_WIDE static void $name(int n_rows, const double *x, int x_width, int n_in,
    const $type *weights, const $type *bias, double *out, int width)
{
    int r, c, i, j;
    const int whole = n_in - n_in % 16;
    for (r = 0; r < n_rows; r++, x += x_width, out += width)
        for (c = 0; c < width; c++) {
            const $type *w = weights + (size_t)c * (size_t)n_in;
            $type part[16] = {0}, sum = 0;
            for (i = 0; i < whole; i += 16)
                for (j = 0; j < 16; j++)
                    part[j] += ($type)x[i + j] * w[i + j];
            for (i = whole; i < n_in; i++)
                sum += ($type)x[i] * w[i];
            for (j = 0; j < 16; j++)
                sum += part[j];
            out[c] = (double)(sum + bias[c]);
        }
}
