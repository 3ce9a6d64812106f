/* Structs out of JSON of the usual form, in C: optional, and exactly as msgspec decodes them.

   `connector.exchanges.usual_json` says what is usual. Whatever is not is left to msgspec: `read`
   returns None then, and never an error of its own. Nothing here waits. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#ifdef Py_LIMITED_API
#define PyBytes_AS_STRING PyBytes_AsString
#define PyBytes_GET_SIZE PyBytes_Size
#define PyTuple_GET_ITEM PyTuple_GetItem
#define PyTuple_GET_SIZE PyTuple_Size
#endif

/* What a field may hold; `connector.exchanges.usual_json` has the same numbers. */
enum { TEXT = 1, WHOLE = 2, TRUTH = 4, NOTHING = 8, DECIMAL = 16, RAW = 32, OBJECT = 64, LIST = 128 };

#define MOST_FIELDS 48
#define LONGEST 40
#define DEEPEST 16
/* So many digits fit into a long long. */
#define MOST_DIGITS 18

static PyObject *decimal_type, *raw_type;

typedef struct Reader Reader;

typedef struct {
    PyObject *name;
    const char *letters;
    Py_ssize_t size;
    int forms;
    /* What stands for an absent one: `list` for an empty list. NULL where it is required. */
    PyObject *absent;
    Reader *inner;
    /* The last token, and what it meant: prices, symbols and words repeat. */
    char token[LONGEST];
    Py_ssize_t token_size;
    PyObject *meaning;
} Field;

struct Reader {
    PyObject_HEAD
    PyObject *kind;
    Py_ssize_t count;
    Field *fields;
    /* Which field stood there the last time, by its place in the object. */
    unsigned char places[MOST_FIELDS];
};

static PyTypeObject *reader_type;

static inline const char *
blanks(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') {
        at++;
    }
    return at;
}

/* Behind the text that begins at `at`, its quote included; NULL if it has an escape, or a letter
   beyond ASCII. Behind the end of all there is a 0, at which this stops. */
static inline const char *
end_of_text(const char *at)
{
    while (1) {
        unsigned char letter = (unsigned char)*at++;
        if (letter == '"') {
            return at;
        }
        if (letter < ' ' || letter > '~' || letter == '\\') {
            return NULL;
        }
    }
}

/* Behind digits, with a sign and a fraction at most; NULL if these are none. */
static const char *
end_of_number(const char *at, int with_fraction, int leading_zeros)
{
    at += *at == '-';
    const char *digits = at;
    while (*at >= '0' && *at <= '9') {
        at++;
    }
    if (at == digits || (!leading_zeros && *digits == '0' && at > digits + 1)) {
        return NULL;
    }
    if (with_fraction && *at == '.') {
        const char *fraction = ++at;
        while (*at >= '0' && *at <= '9') {
            at++;
        }
        if (at == fraction) {
            return NULL;
        }
    }
    return at;
}

static const char *
end_of_word(const char *at, const char *word)
{
    size_t size = strlen(word);
    return strncmp(at, word, size) == 0 ? at + size : NULL;
}

/* Behind any value; NULL if it is unusual. */
static const char *
end_of_value(const char *at, int depth)
{
    switch (*at) {
    case '"':
        return end_of_text(at + 1);
    case 't':
        return end_of_word(at, "true");
    case 'f':
        return end_of_word(at, "false");
    case 'n':
        return end_of_word(at, "null");
    case '{':
    case '[': {
        int is_object = *at == '{';
        char end = is_object ? '}' : ']';
        if (depth == DEEPEST) {
            return NULL;
        }
        at = blanks(at + 1);
        if (*at == end) {
            return at + 1;
        }
        while (1) {
            if (is_object) {
                if (*at != '"' || (at = end_of_text(at + 1)) == NULL || *(at = blanks(at)) != ':') {
                    return NULL;
                }
                at = blanks(at + 1);
            }
            if ((at = end_of_value(at, depth + 1)) == NULL) {
                return NULL;
            }
            at = blanks(at);
            if (*at == end) {
                return at + 1;
            }
            if (*at != ',') {
                return NULL;
            }
            at = blanks(at + 1);
        }
    }
    default:
        return end_of_number(at, 1, 0);
    }
}

/* What the last token meant if this is the same, else NULL. */
static inline PyObject *
known(const Field *field, const char *token, Py_ssize_t size)
{
    return field->meaning != NULL && field->token_size == size
                   && memcmp(field->token, token, (size_t)size) == 0
               ? Py_NewRef(field->meaning)
               : NULL;
}

static PyObject *
learn(Field *field, const char *token, Py_ssize_t size, PyObject *meaning)
{
    if (meaning != NULL && size <= LONGEST) {
        PyObject *before = field->meaning;
        memcpy(field->token, token, (size_t)size);
        field->token_size = size;
        field->meaning = Py_NewRef(meaning);
        Py_XDECREF(before);
    }
    return meaning;
}

static PyObject *read_object(Reader *reader, const char **text);

/* All of a list of objects; NULL if it is unusual, perhaps with an exception set. */
static PyObject *
read_list(Reader *inner, const char **text)
{
    PyObject *found = PyList_New(0);
    const char *at = blanks(*text + 1);
    if (found == NULL || *at == ']') {
        *text = at + 1;
        return found;
    }
    while (1) {
        PyObject *each = *at == '{' ? read_object(inner, &at) : NULL;
        int failed = each == NULL || PyList_Append(found, each);
        Py_XDECREF(each);
        at = failed ? at : blanks(at);
        if (failed || (*at != ',' && *at != ']')) {
            Py_DECREF(found);
            return NULL;
        }
        if (*at == ']') {
            *text = at + 1;
            return found;
        }
        at = blanks(at + 1);
    }
}

/* The value of a field; NULL if it is unusual, perhaps with an exception set. */
static PyObject *
read_value(Field *field, const char **text)
{
    const char *at = *text, *end;
    PyObject *found;
    if (field->forms & RAW) {
        if ((end = end_of_value(at, 0)) == NULL) {
            return NULL;
        }
        *text = end;
        PyObject *bytes = PyBytes_FromStringAndSize(at, end - at);
        found = bytes == NULL ? NULL : PyObject_Vectorcall(raw_type, &bytes, 1, NULL);
        Py_XDECREF(bytes);
        return found;
    }
    switch (*at) {
    case '"': {
        if (!(field->forms & (TEXT | DECIMAL)) || (end = end_of_text(at + 1)) == NULL) {
            return NULL;
        }
        Py_ssize_t size = end - at;
        *text = end;
        if ((found = known(field, at, size)) != NULL) {
            return found;
        }
        if (field->forms & TEXT) {
            return learn(field, at, size, PyUnicode_FromStringAndSize(at + 1, size - 2));
        }
        if (size > LONGEST || end_of_number(at + 1, 1, 1) != end - 1) {
            return NULL;
        }
        PyObject *digits = PyUnicode_FromStringAndSize(at + 1, size - 2);
        found = digits == NULL ? NULL : PyObject_Vectorcall(decimal_type, &digits, 1, NULL);
        Py_XDECREF(digits);
        return learn(field, at, size, found);
    }
    case 't':
        *text = end_of_word(at, "true");
        return (field->forms & TRUTH) && *text != NULL ? Py_NewRef(Py_True) : NULL;
    case 'f':
        *text = end_of_word(at, "false");
        return (field->forms & TRUTH) && *text != NULL ? Py_NewRef(Py_False) : NULL;
    case 'n':
        *text = end_of_word(at, "null");
        return (field->forms & NOTHING) && *text != NULL ? Py_NewRef(Py_None) : NULL;
    case '{':
        return field->forms & OBJECT ? read_object(field->inner, text) : NULL;
    case '[':
        return field->forms & LIST ? read_list(field->inner, text) : NULL;
    default: {
        if (!(field->forms & WHOLE) || *at == '-' || (end = end_of_number(at, 1, 0)) == NULL
            || end - at > MOST_DIGITS || *end == 'e' || *end == 'E') {
            return NULL;
        }
        Py_ssize_t size = end - at;
        *text = end;
        if ((found = known(field, at, size)) != NULL) {
            return found;
        }
        long long number = 0;
        for (const char *digit = at; digit < end; digit++) {
            if (*digit == '.') {
                return NULL;
            }
            number = 10 * number + (*digit - '0');
        }
        return learn(field, at, size, PyLong_FromLongLong(number));
    }
    }
}

static inline int
is_named(const Field *field, const char *name, Py_ssize_t size)
{
    return field->size == size && field->letters[0] == name[0]
           && memcmp(field->letters, name, (size_t)size) == 0;
}

/* The index of the field of that name, or -1. */
static Py_ssize_t
field_of(Reader *reader, Py_ssize_t place, const char *name, Py_ssize_t size)
{
    if (place < MOST_FIELDS) {
        Py_ssize_t guess = reader->places[place];
        if (guess < reader->count && is_named(&reader->fields[guess], name, size)) {
            return guess;
        }
    }
    for (Py_ssize_t i = 0; i < reader->count; i++) {
        if (is_named(&reader->fields[i], name, size)) {
            if (place < MOST_FIELDS) {
                reader->places[place] = (unsigned char)i;
            }
            return i;
        }
    }
    return -1;
}

/* An object, and moves behind it; NULL if it is unusual, perhaps with an exception set. */
static PyObject *
read_object(Reader *reader, const char **text)
{
    PyObject *values[MOST_FIELDS] = {NULL}, *result = NULL;
    const char *at = blanks(*text + 1);
    if (*at == '}') {
        at++;
    }
    else {
        for (Py_ssize_t place = 0;; place++) {
            const char *name = at + 1, *end;
            if (*at != '"' || (end = end_of_text(name)) == NULL || *(at = blanks(end)) != ':') {
                goto done;
            }
            at = blanks(at + 1);
            Py_ssize_t i = end - 1 == name ? -1 : field_of(reader, place, name, end - 1 - name);
            if (i < 0) {
                if ((at = end_of_value(at, 0)) == NULL) {
                    goto done;
                }
            }
            else if (values[i] != NULL
                     || (values[i] = read_value(&reader->fields[i], &at)) == NULL) {
                goto done;
            }
            at = blanks(at);
            if (*at == '}') {
                at++;
                break;
            }
            if (*at != ',') {
                goto done;
            }
            at = blanks(at + 1);
        }
    }
    for (Py_ssize_t i = 0; i < reader->count; i++) {
        if (values[i] == NULL) {
            const Field *field = &reader->fields[i];
            if (field->absent == NULL) {
                goto done;
            }
            values[i] = field->absent == (PyObject *)&PyList_Type ? PyList_New(0)
                                                                  : Py_NewRef(field->absent);
            if (values[i] == NULL) {
                goto done;
            }
        }
    }
    *text = at;
    result = PyObject_Vectorcall(reader->kind, values, (size_t)reader->count, NULL);
done:
    for (Py_ssize_t i = 0; i < reader->count; i++) {
        Py_XDECREF(values[i]);
    }
    return result;
}

PyDoc_STRVAR(read_doc, "read(payload)\n--\n\nThe struct, or None if the payload is unusual.");

static PyObject *
read_payload(Reader *reader, PyObject *payload)
{
    if (!PyBytes_CheckExact(payload)) {
        Py_RETURN_NONE;
    }
    const char *text = PyBytes_AS_STRING(payload), *end = text + PyBytes_GET_SIZE(payload);
    text = blanks(text);
    PyObject *found = *text == '{' ? read_object(reader, &text) : NULL;
    if (found != NULL && blanks(text) == end) {
        return found;
    }
    Py_XDECREF(found);
    if (found == NULL && PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static void
drop(Reader *reader)
{
    PyTypeObject *type = Py_TYPE(reader);
    for (Py_ssize_t i = 0; i < reader->count; i++) {
        Field *field = &reader->fields[i];
        Py_XDECREF(field->name);
        Py_XDECREF(field->absent);
        Py_XDECREF((PyObject *)field->inner);
        Py_XDECREF(field->meaning);
    }
    PyMem_Free(reader->fields);
    Py_XDECREF(reader->kind);
    PyObject_Free(reader);
    Py_DECREF(type);
}

/* Reader(kind, fields): of each field its name, its forms, whether it is required, what stands for
   an absent one (`list` for an empty list), and the reader of what is in it, or None. */
static PyObject *
make(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *kind, *fields;
    if (named != NULL && PyDict_Size(named) > 0) {
        PyErr_SetString(PyExc_TypeError, "Reader(kind, fields)");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OO!", &kind, &PyTuple_Type, &fields)) {
        return NULL;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(fields);
    if (count > MOST_FIELDS) {
        PyErr_SetString(PyExc_ValueError, "too many fields");
        return NULL;
    }
    Reader *reader = PyObject_New(Reader, type);
    if (reader == NULL) {
        return NULL;
    }
    reader->kind = Py_NewRef(kind);
    reader->count = 0;
    memset(reader->places, 0, sizeof(reader->places));
    reader->fields = PyMem_Calloc((size_t)(count ? count : 1), sizeof(Field));
    if (reader->fields == NULL) {
        Py_DECREF(reader);
        return PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        Field *field = &reader->fields[i];
        PyObject *name, *absent, *inner;
        int required;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(fields, i), "SipOO", &name, &field->forms, &required,
                              &absent, &inner)) {
            Py_DECREF(reader);
            return NULL;
        }
        int has_inner = Py_TYPE(inner) == type;
        if ((field->forms & (OBJECT | LIST)) && !has_inner) {
            Py_DECREF(reader);
            PyErr_SetString(PyExc_TypeError, "no reader of what is in a field");
            return NULL;
        }
        field->name = Py_NewRef(name);
        field->letters = PyBytes_AS_STRING(name);
        field->size = PyBytes_GET_SIZE(name);
        field->absent = required ? NULL : Py_NewRef(absent);
        field->inner = has_inner ? (Reader *)Py_NewRef(inner) : NULL;
        reader->count++;
    }
    return (PyObject *)reader;
}

static PyMethodDef methods[] = {
    {"read", (PyCFunction)read_payload, METH_O, read_doc},
    {NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, make},
    {Py_tp_dealloc, drop},
    {Py_tp_methods, methods},
    {Py_tp_doc, "Reads structs of one kind."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "connector.exchanges._usual_json.Reader",
    .basicsize = sizeof(Reader),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

static PyObject *
attribute_of(const char *module, const char *name)
{
    PyObject *found = PyImport_ImportModule(module);
    PyObject *attribute = found == NULL ? NULL : PyObject_GetAttrString(found, name);
    Py_XDECREF(found);
    return attribute;
}

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "connector.exchanges._usual_json",
    .m_doc = "Structs out of JSON of the usual form, in C.",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit__usual_json(void)
{
    if (reader_type == NULL) {
        reader_type = (PyTypeObject *)PyType_FromSpec(&spec);
    }
    decimal_type = attribute_of("decimal", "Decimal");
    raw_type = decimal_type == NULL ? NULL : attribute_of("msgspec", "Raw");
    if (reader_type == NULL || raw_type == NULL) {
        return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddObjectRef(module, "Reader", (PyObject *)reader_type)) {
        Py_CLEAR(module);
    }
    return module;
}
