/* Adds a piecewise linear function of each column: the piece is where as many knots lie below x. */
STACKENS_WIDE static void $name(int n_rows, const double *x, int x_width, const int32_t *column,
    const int32_t *start, const double *knots, const double *left, const double *slope,
    const double *base, const double *rise, double *out, int width, int padded)
{
    int r, c, i, j;
    for (r = 0; r < n_rows; r++, x += x_width, out += width) {
        size_t place[$n_columns];
        double share[$n_columns];
        for (i = 0; i < $n_columns; i++) {
            const double value = x[column[i]];
            const double *const knot = knots + i * $n_knots;
            size_t at = (size_t)start[i];
            double t;
#ifdef STACKENS_LANES
            const lanes_double values = {value, value, value, value};
            lanes_long below = {0};
            for (j = 0; j < $n_knots; j += 4)
                below -= *(const lanes_double *)(knot + j) < values;
            at += (size_t)(below[0] + below[1] + below[2] + below[3]);
#else
            for (j = 0; j < $n_knots; j++)
                at += knot[j] < value;
#endif
            t = (value - left[at]) * slope[at];
            t = t < 0.0 ? 0.0 : t; /* but NaN stays */
            share[i] = t > 1.0 ? 1.0 : t;
            place[i] = at * (size_t)padded;
        }
        for (c = 0; c < width; c += $strip) {
            const int n = width - c < $strip ? width - c : $strip;
            double sum[$strip] = {0};
#ifdef STACKENS_LANES
            $begin
            for (i = 0; i < $n_columns; i++) {
                const double *const b = base + place[i] + c;
                const double *const w = rise + place[i] + c;
                const double value = share[i];
                const lanes_double values = $values;
                $add
            }
            $end
#else
            for (i = 0; i < $n_columns; i++) {
                const double *const b = base + place[i] + c;
                const double *const w = rise + place[i] + c;
                const double value = share[i];
                for (j = 0; j < $strip; j++)
                    sum[j] += b[j] + value * w[j];
            }
#endif
            for (j = 0; j < n; j++)
                out[c + j] += sum[j];
        }
    }
}
