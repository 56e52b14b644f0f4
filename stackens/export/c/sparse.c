/* The same where many inputs are 0: the places of the others are collected first. */
STACKENS_WIDE static void $name(int n_rows, const double *x, int x_width, int n_in,
    const $type *weights, const $type *bias, double *out, int width)
{
    int r, c, i, j, first;
    int32_t used[$most];
    for (r = 0; r < n_rows; r++, x += x_width, out += width)
        for (first = 0; first < n_in; first += $most) {
            const int last = n_in - first <= $most ? n_in : first + $most;
            int n_used = 0;
            for (i = first; i < last; i++) {
                used[n_used] = i;
                n_used += x[i] != 0; /* which NaN is not either */
            }
            for (c = 0; c < width; c += $strip) {
                const int n = width - c < $strip ? width - c : $strip;
                const $type *const strip = weights + (size_t)c * (size_t)n_in;
                $type sum[$strip] = {0};
                for (j = 0; first > 0 && j < n; j++)
                    sum[j] = ($type)out[c + j];
#ifdef STACKENS_LANES
                {
                    $begin
                    for (i = 0; i < n_used; i++) {
                        const $type *const w = strip + (size_t)used[i] * $strip;
                        const $type value = ($type)x[used[i]];
                        const lanes_$type values = $values;
                        $add
                    }
                    $end
                }
#else
                for (i = 0; i < n_used; i++) {
                    const $type *const w = strip + (size_t)used[i] * $strip;
                    const $type value = ($type)x[used[i]];
                    for (j = 0; j < $strip; j++)
                        sum[j] += value * w[j];
                }
#endif
                for (j = 0; j < n; j++)
                    out[c + j] = (double)(last == n_in ? sum[j] + bias[c + j] : sum[j]);
            }
        }
}
