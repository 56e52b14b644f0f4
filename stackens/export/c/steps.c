static int is_finite(double x)
{
    return fabs(x) <= DBL_MAX;
}

static double largest(double x, double y)
{
    return x > y || x != x ? x : y;
}

static double smallest(double x, double y)
{
    return x < y || x != x ? x : y;
}

static double sign(double x)
{
    return x > 0 ? 1.0 : x < 0 ? -1.0 : x;
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double softplus(double x)
{
    return (x > 0 ? x : 0.0) + log1p(exp(-fabs(x)));
}

static double round_single(double x)
{
    return (double)(float)x;
}

static void softmax(double *x, int n)
{
    double top = x[0], sum = 0.0;
    int j;
    for (j = 1; j < n; j++)
        top = largest(top, x[j]);
    for (j = 0; j < n; j++) {
        x[j] = exp(x[j] - top);
        sum += x[j];
    }
    for (j = 0; j < n; j++)
        x[j] /= sum;
}

/* Position of the largest number, the first of equals; of the first NaN, where there is one. */
static int place_of_largest(const double *x, int n)
{
    int best = 0, j;
    for (j = 1; j < n && x[best] == x[best]; j++)
        if (x[j] > x[best] || x[j] != x[j])
            best = j;
    return best;
}

static int compare_numbers(const void *left, const void *right)
{
    const double x = *(const double *)left, y = *(const double *)right;
    if (x != x || y != y)
        return (x != x) - (y != y); /* NaN last */
    return (x > y) - (x < y);
}

static void sort_numbers(double *x, int n)
{
    int i, j;
    if (n > 24) {
        qsort(x, (size_t)n, sizeof(double), compare_numbers);
        return;
    }
    for (i = 1; i < n; i++) {
        const double value = x[i];
        for (j = i; j > 0 && compare_numbers(&x[j - 1], &value) > 0; j--)
            x[j] = x[j - 1];
        x[j] = value;
    }
}

/* How many of some rising numbers are at most x. */
static int count_up_to(double x, const double *edges, int n)
{
    int low = 0;
    while (n > 0) {
        const int half = n / 2;
        if (edges[low + half] <= x) {
            low += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return low;
}

/* STACKENS_MISSING, STACKENS_UNKNOWN, or 2 + the position of x among rising numbers. */
static int code_of_number(double x, const double *keys, int n)
{
    int place;
    if (x != x)
        return STACKENS_MISSING;
    place = count_up_to(x, keys, n) - 1;
    return place >= 0 && keys[place] == x ? place + 2 : STACKENS_UNKNOWN;
}

static double interpolate(
    double v, const double *x, const double *y, const double *slope, int n)
{
    const int j = count_up_to(v, x, n) - 1;
    double answer;
    if (v != v)
        return v;
    if (j < 0)
        return y[0];
    if (j >= n - 1)
        return y[n - 1];
    if (x[j] == v)
        return y[j];
    answer = slope[j] * (v - x[j]) + y[j];
    if (answer != answer) {
        answer = slope[j] * (v - x[j + 1]) + y[j + 1];
        if (answer != answer && y[j] == y[j + 1])
            answer = y[j];
    }
    return answer;
}

static void add_leaf(const double *leaf, int width, double *out)
{
    int j;
    for (j = 0; j < width; j++)
        out[j] += leaf[j];
}

#define STACKENS_BIT(words, place) (int)((words)[(place) >> 5] >> ((place) & 31u) & 1u)

/* Trees that send missing values to the left compare this. */
static double missing_first(double x)
{
    return x == x ? x : -INFINITY;
}

static int is_missing(double x)
{
    return x != x;
}

static double count_edges(double x, const double *edges, int n)
{
    return x == x ? (double)count_up_to(x, edges, n) : x;
}

/* As code_of_number for the numbers 0, 1, ... n - 1. */
static int code_of_place(double x, int n)
{
    if (x != x)
        return STACKENS_MISSING;
    return x >= 0 && x < n && floor(x) == x ? (int)x + 2 : STACKENS_UNKNOWN;
}
