/* x times weights, plus a bias. Weights lie in strips of $strip outputs, filled up with 0. */
STACKENS_WIDE static void $name(int n_rows, const double *x, int x_width, int n_in,
    const $type *weights, const $type *bias, double *out, int width)
{
    int r, c, i, j;
    for (r = 0; r < n_rows; r++, x += x_width, out += width) {
        const $type *w = weights;
        for (c = 0; c < width; c += $strip) {
            const int n = width - c < $strip ? width - c : $strip;
            $type sum[$strip] = {0};
#ifdef STACKENS_LANES
            $begin
            for (i = 0; i < n_in; i++, w += $strip) {
                const $type value = ($type)x[i];
                const lanes_$type values = $values;
                $add
            }
            $end
#else
            for (i = 0; i < n_in; i++, w += $strip) {
                const $type value = ($type)x[i];
                for (j = 0; j < $strip; j++)
                    sum[j] += value * w[j];
            }
#endif
            for (j = 0; j < n; j++)
                out[c + j] = (double)(sum[j] + bias[c + j]);
        }
    }
}
