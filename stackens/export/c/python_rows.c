#define ROWS_WITHOUT_GIL 32
#define FEW_COLUMNS 1024

/* What the functions below need, made once when the module is imported. */
static PyObject *names[N_COLUMNS];        /* of the columns */
static PyObject *readers[N_COLUMNS];      /* of values that are no plain numbers or texts */
static PyObject *codes_of[N_COLUMNS];     /* text -> code, for categories */
static PyObject *python_rows;             /* reads rows of any form, and says what is wrong */
static PyObject *python_refused;          /* says which row the source refuses, and why */
static PyObject *python_finish;           /* many answers from their bytes */
static PyObject *class_labels;            /* list, or None */

/* Rows that have been read. */
struct table {
    Py_ssize_t n;
    double *numbers;
    int32_t *codes;
    double few_numbers[N_NUMBERS < FEW_COLUMNS ? N_NUMBERS + 1 : 1];
    int32_t few_codes[N_CATEGORIES < FEW_COLUMNS ? N_CATEGORIES + 1 : 1];
    Py_buffer view; /* where the numbers are those of a buffer */
};

static int make_room(struct table *t, Py_ssize_t n)
{
    t->n = n;
    t->view.obj = NULL;
    t->numbers = t->few_numbers;
    t->codes = t->few_codes;
    if (n == 1 && N_NUMBERS < FEW_COLUMNS && N_CATEGORIES < FEW_COLUMNS)
        return 0;
    t->numbers = PyMem_New(double, n * N_NUMBERS + 1);
    t->codes = PyMem_New(int32_t, n * N_CATEGORIES + 1);
    if (t->numbers == NULL || t->codes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static void give_back(struct table *t)
{
    if (t->view.obj != NULL)
        PyBuffer_Release(&t->view);
    else if (t->numbers != t->few_numbers)
        PyMem_Free(t->numbers);
    if (t->codes != t->few_codes)
        PyMem_Free(t->codes);
}

/* --- values: -1 with an error set where Python's reader does not take them either --- */

static int read_text(PyObject *value, int column, int32_t *code)
{
    PyObject *found = PyDict_GetItemWithError(codes_of[column], value);
    if (found == NULL) {
        *code = STACKENS_UNKNOWN;
        return PyErr_Occurred() ? -1 : 0;
    }
    *code = (int32_t)PyLong_AsLong(found);
    return 0;
}

/* Whole numbers as those, others in the shortest form. */
static PyObject *text_of_float(PyObject *value)
{
    const double number = PyFloat_AS_DOUBLE(value);
    PyObject *whole, *text;
    if (number != floor(number) || fabs(number) >= 9007199254740992.0) /* 2^53 */
        return PyObject_Str(value);
    whole = PyLong_FromDouble(number);
    if (whole == NULL)
        return NULL;
    text = PyObject_Str(whole);
    Py_DECREF(whole);
    return text;
}

static int read_category(PyObject *value, int column, int32_t *code)
{
    PyObject *text;
    int answer;
    if (PyUnicode_CheckExact(value))
        return read_text(value, column, code);
    if (value == Py_None) {
        *code = STACKENS_MISSING;
        return 0;
    }
    if (PyFloat_CheckExact(value) && PyFloat_AS_DOUBLE(value) != PyFloat_AS_DOUBLE(value)) {
        *code = STACKENS_MISSING;
        return 0;
    }
    if (PyLong_CheckExact(value))
        text = PyObject_Str(value);
    else if (PyFloat_CheckExact(value))
        text = text_of_float(value);
    else
        text = PyObject_CallFunctionObjArgs(readers[column], value, names[column], NULL);
    if (text == NULL)
        return -1;
    if (text == Py_None) {
        *code = STACKENS_MISSING;
        answer = 0;
    } else {
        answer = read_text(text, column, code);
    }
    Py_DECREF(text);
    return answer;
}

static int read_other_number(PyObject *value, int column, double *number)
{
    PyObject *found = PyObject_CallFunctionObjArgs(readers[column], value, names[column], NULL);
    if (found == NULL)
        return -1;
    *number = PyFloat_AsDouble(found);
    Py_DECREF(found);
    return *number == -1.0 && PyErr_Occurred() ? -1 : 0;
}

/* Where Python has read the values already, `is_read`, moments are numbers; else those are none. */
static int read_value(PyObject *value, int column, int is_read, double *numbers, int32_t *codes)
{
    const int place = columns[column].place;
    const int may_be_number = is_read || columns[column].kind != MOMENT;
    if (columns[column].kind == CATEGORY)
        return read_category(value, column, &codes[place]);
    if (PyFloat_Check(value) && may_be_number) {
        numbers[place] = PyFloat_AS_DOUBLE(value);
        return 0;
    }
    if (columns[column].kind == UNREAD) {
        numbers[place] = NAN;
        return 0;
    }
    if (value == Py_None) {
        numbers[place] = NAN;
        return 0;
    }
    if (PyLong_Check(value) && may_be_number) {
        numbers[place] = PyLong_AsDouble(value);
        if (numbers[place] != -1.0 || !PyErr_Occurred())
            return 0;
        PyErr_Clear(); /* beyond doubles */
    }
    return read_other_number(value, column, &numbers[place]);
}

/* --- rows: 1 where they have no form that is known here, and Python must read them --- */

static int read_list(PyObject *row, int is_read, double *numbers, int32_t *codes)
{
    int column;
    for (column = 0; column < N_COLUMNS; column++) {
        if (PySequence_Fast_GET_SIZE(row) != N_COLUMNS) /* also if a value's reader changes it */
            return 1;
        if (read_value(
                PySequence_Fast_GET_ITEM(row, column), column, is_read, numbers, codes) < 0)
            return -1;
    }
    return 0;
}

static int read_dict(PyObject *row, double *numbers, int32_t *codes)
{
    int column;
    for (column = 0; column < N_COLUMNS; column++) {
        PyObject *value;
        if (columns[column].kind == UNREAD) {
            numbers[columns[column].place] = NAN;
            continue;
        }
        value = PyDict_GetItemWithError(row, names[column]);
        if (value == NULL)
            return PyErr_Occurred() ? -1 : 1;
        if (read_value(value, column, 0, numbers, codes) < 0)
            return -1;
    }
    return 0;
}

static int is_plain_row(PyObject *row)
{
    return PyDict_CheckExact(row) || PyList_CheckExact(row) || PyTuple_CheckExact(row);
}

static int read_plain_row(PyObject *row, int is_read, double *numbers, int32_t *codes)
{
    if (PyDict_CheckExact(row))
        return read_dict(row, numbers, codes);
    return is_plain_row(row) ? read_list(row, is_read, numbers, codes) : 1;
}

static int read_rows(PyObject *rows, int is_read, struct table *t)
{
    Py_ssize_t i;
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(rows);
    int answer = make_room(t, n);
    for (i = 0; i < n && answer == 0; i++) {
        PyObject *row;
        if (PySequence_Fast_GET_SIZE(rows) != n)
            return 1;
        row = PySequence_Fast_GET_ITEM(rows, i);
        Py_INCREF(row);
        answer = read_plain_row(
            row, is_read, t->numbers + i * N_NUMBERS, t->codes + i * N_CATEGORIES);
        Py_DECREF(row);
    }
    return answer;
}

/* Doubles, in one dimension or two. */
static int read_buffer(PyObject *rows, struct table *t, int *one)
{
    Py_buffer view;
    Py_ssize_t i, j, n;
    int answer = 1;
    if (!ALL_NUMBERS || !PyObject_CheckBuffer(rows) || PyBytes_Check(rows))
        return 1;
    if (PyObject_GetBuffer(rows, &view, PyBUF_STRIDES | PyBUF_FORMAT) < 0) {
        PyErr_Clear();
        return 1;
    }
    if ((view.ndim == 1 || view.ndim == 2) && view.format != NULL &&
        strcmp(view.format, "d") == 0 && view.shape[view.ndim - 1] == N_COLUMNS) {
        *one = view.ndim == 1;
        n = *one ? 1 : view.shape[0];
        if (PyBuffer_IsContiguous(&view, 'C')) {
            t->n = n;
            t->numbers = (double *)view.buf;
            t->codes = t->few_codes;
            t->view = view;
            return 0;
        }
        answer = make_room(t, n);
        for (i = 0; i < n && answer == 0; i++)
            for (j = 0; j < N_COLUMNS; j++) {
                const char *from = (const char *)view.buf + (*one ? 0 : i * view.strides[0]);
                memcpy(&t->numbers[i * N_NUMBERS + j], from + j * view.strides[view.ndim - 1],
                    sizeof(double));
            }
    }
    PyBuffer_Release(&view);
    return answer;
}

/* Rows of other forms, and those with a mistake: Python reads them, or says what is wrong. */
static int read_others(PyObject *rows, struct table *t, int *one)
{
    PyObject *listed, *found = PyObject_CallFunctionObjArgs(python_rows, rows, NULL);
    int answer;
    if (found == NULL)
        return -1;
    if (!PyArg_ParseTuple(found, "Op", &listed, one)) {
        Py_DECREF(found);
        return -1;
    }
    if (PyList_CheckExact(listed))
        answer = read_rows(listed, 1, t);
    else {
        int other;
        answer = read_buffer(listed, t, &other);
    }
    if (answer == 1) {
        PyErr_SetString(PyExc_RuntimeError, "Rows changed while they were read.");
        answer = -1;
    }
    Py_DECREF(found);
    return answer;
}

static int read_table(PyObject *rows, struct table *t, int *one)
{
    int answer = 1;
    t->view.obj = NULL;
    t->numbers = t->few_numbers;
    t->codes = t->few_codes;
    t->n = 1;
    *one = 1;
    if (PyDict_CheckExact(rows)) {
        answer = make_room(t, 1) < 0 ? -1 : read_dict(rows, t->numbers, t->codes);
    } else if (PyList_CheckExact(rows) || PyTuple_CheckExact(rows)) {
        const Py_ssize_t n = PySequence_Fast_GET_SIZE(rows);
        PyObject *first = n > 0 ? PySequence_Fast_GET_ITEM(rows, 0) : NULL;
        if (first != NULL && is_plain_row(first)) {
            *one = 0;
            answer = read_rows(rows, 0, t);
        } else if (first != NULL && (PyFloat_CheckExact(first) || PyUnicode_CheckExact(first) ||
                                     PyLong_CheckExact(first) || first == Py_None)) {
            answer = make_room(t, 1) < 0
                ? -1
                : read_list(rows, 0, t->numbers, t->codes);
        }
    } else {
        answer = read_buffer(rows, t, one);
    }
    if (answer == 1) {
        give_back(t);
        t->view.obj = NULL;
        t->numbers = t->few_numbers;
        t->codes = t->few_codes;
        answer = read_others(rows, t, one);
    }
    if (answer < 0)
        give_back(t);
    return answer;
}
