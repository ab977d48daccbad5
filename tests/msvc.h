/* What ssl.h uses of Microsoft's headers, so that its branches for that compiler can be checked with clang in Microsoft
   mode on any machine (tests/portability.sh): declarations only, nothing links. Each system header is this file. The
   macros that windows.h is known for are here to catch names that they would replace. */
#ifndef SSLH_TEST_MSVC_H
#define SSLH_TEST_MSVC_H
#include <stddef.h>
#include <stdarg.h>

/* <stdio.h> */
typedef struct FILE FILE;
FILE *__acrt_iob_func(unsigned);
#define stdin __acrt_iob_func(0)
#define stdout __acrt_iob_func(1)
#define stderr __acrt_iob_func(2)
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2
#define EOF (-1)
FILE *fopen(const char*, const char*); FILE *_wfopen(const wchar_t*, const wchar_t*); int fclose(FILE*);
size_t fread(void*, size_t, size_t, FILE*);
size_t fwrite(const void*, size_t, size_t, FILE*);
int fseek(FILE*, long, int); long ftell(FILE*); void rewind(FILE*); void clearerr(FILE*); int ferror(FILE*);
int feof(FILE*); int fflush(FILE*);
int fprintf(FILE*, const char*, ...); int printf(const char*, ...); int snprintf(char*, size_t, const char*, ...);
int vsnprintf(char*, size_t, const char*, va_list);
int vfprintf(FILE*, const char*, va_list);
int fputs(const char*, FILE*); int fputc(int, FILE*); int remove(const char*);
int rename(const char*, const char*); int sscanf(const char*, const char*, ...);
char *fgets(char*, int, FILE*); int fgetc(FILE*); int _fileno(FILE*);

/* <stdlib.h> */
void *malloc(size_t); void *calloc(size_t, size_t); void *realloc(void*, size_t); void free(void*);
void* bsearch(const void*, const void*, size_t, size_t, int (__cdecl *)(const void*, const void*));
void qsort(void*, size_t, size_t, int (__cdecl *)(const void*, const void*)); long strtol(const char*, char**, int);
unsigned long strtoul(const char*, char**, int);
double strtod(const char*, char**); int atoi(const char*); double atof(const char*); char *getenv(const char*);
void exit(int); int abs(int); long long strtoll(const char*, char**, int);
unsigned long long strtoull(const char*, char**, int);

/* <string.h> */
void *memcpy(void*, const void*, size_t); void *memmove(void*, const void*, size_t); void *memset(void*, int, size_t);
int memcmp(const void*, const void*, size_t); void *memchr(const void*, int, size_t);
size_t strlen(const char*); int strcmp(const char*, const char*); int strncmp(const char*, const char*, size_t);
char *strchr(const char*, int); char *strrchr(const char*, int); char *strstr(const char*, const char*);
char *strpbrk(const char *text, const char *any);
char *strcpy(char*, const char*); char *strncpy(char*, const char*, size_t); char *strerror(int);
size_t strspn(const char*, const char*); size_t strcspn(const char*, const char*);

/* <math.h> */
#define F(n) double n(double); float n##f(float);
F(sqrt) F(floor) F(ceil) F(fabs) F(exp) F(log) F(tanh) F(erf) F(erfc) F(sin) F(cos) F(expm1) F(log1p) F(round) 
F(log2) F(exp2) F(acos)
double pow(double,double); float powf(float,float); double ldexp(double,int); double frexp(double,int*);
double atan2(double,double); double fma(double,double,double); float fmaf(float,float,float);
double fmod(double,double);
float ldexpf(float,int); double nearbyint(double); float nearbyintf(float); double rint(double); float rintf(float);
double copysign(double,double);
#define isnan(x) ((x)!=(x))
#define HUGE_VAL 1e308
#define NAN (0.0f * 1e38f)
#define INFINITY 1e38f

/* <errno.h> */
int *_errno(void);
#define errno (*_errno())
#define EINTR 4
#define EACCES 13
#define EIO 5
#define EINVAL 22
#define ENAMETOOLONG 38
#define ENOMEM 12
#define EOVERFLOW 132
#define ENOTSUP 129

/* <setjmp.h> */
typedef long long jmp_buf[32];

/* <malloc.h> */
void *_aligned_malloc(size_t, size_t); void _aligned_free(void*);

/* <windows.h> */
#define near
#define far
#define small char
#define interface struct
typedef unsigned long DWORD; typedef int BOOL; typedef void *HANDLE; typedef void *LPVOID; typedef long LONG;
typedef long long LONGLONG; typedef const char *LPCSTR; typedef unsigned short WORD;
#define WINAPI __stdcall
typedef union { struct { DWORD LowPart; LONG HighPart; } u; LONGLONG QuadPart; } LARGE_INTEGER;
BOOL QueryPerformanceFrequency(LARGE_INTEGER*); BOOL QueryPerformanceCounter(LARGE_INTEGER*);
typedef struct { DWORD dwPageSize; void *a, *b; size_t m; DWORD dwNumberOfProcessors, t, g; WORD l, r; } SYSTEM_INFO;
void GetSystemInfo(SYSTEM_INFO*);
typedef struct { void *p[6]; } CRITICAL_SECTION; typedef struct { void *p; } CONDITION_VARIABLE;
void InitializeCriticalSection(CRITICAL_SECTION*); void DeleteCriticalSection(CRITICAL_SECTION*);
void EnterCriticalSection(CRITICAL_SECTION*); void LeaveCriticalSection(CRITICAL_SECTION*);
void InitializeConditionVariable(CONDITION_VARIABLE*);
BOOL SleepConditionVariableCS(CONDITION_VARIABLE*, CRITICAL_SECTION*, DWORD);
void WakeAllConditionVariable(CONDITION_VARIABLE*);
#define INFINITE 0xffffffffu
typedef DWORD (WINAPI *LPTHREAD_START_ROUTINE)(LPVOID);
HANDLE CreateThread(void*, size_t, LPTHREAD_START_ROUTINE, LPVOID, DWORD, DWORD*);
DWORD WaitForSingleObject(HANDLE, DWORD);
BOOL CloseHandle(HANDLE); BOOL SwitchToThread(void); DWORD GetCurrentProcessId(void);
#define INVALID_FILE_ATTRIBUTES ((DWORD)-1)
#define FILE_ATTRIBUTE_DIRECTORY 16
#define FILE_ATTRIBUTE_DEVICE 64
#define FILE_ATTRIBUTE_NORMAL 128
#define GENERIC_WRITE 0x40000000
#define CREATE_NEW 1
#define CREATE_ALWAYS 2
#define INVALID_HANDLE_VALUE ((HANDLE)(long long)-1)
#define MOVEFILE_REPLACE_EXISTING 1
#define MOVEFILE_WRITE_THROUGH 8
typedef const wchar_t *LPCWSTR; typedef unsigned UINT;
#define CP_ACP 0
#define CP_UTF8 65001
#define MB_ERR_INVALID_CHARS 8
int MultiByteToWideChar(UINT, DWORD, LPCSTR, int, wchar_t*, int);
int WideCharToMultiByte(UINT, DWORD, LPCWSTR, int, char*, int, LPCSTR, BOOL*);
BOOL DeleteFileW(LPCWSTR);
DWORD GetFileAttributesW(LPCWSTR); HANDLE CreateFileW(LPCWSTR, DWORD, DWORD, void*, DWORD, DWORD, HANDLE);
BOOL WriteFile(HANDLE, const void*, DWORD, DWORD*, void*); BOOL FlushFileBuffers(HANDLE);
BOOL MoveFileExW(LPCWSTR, LPCWSTR, DWORD);
typedef struct { DWORD dwFileAttributes, x[8]; DWORD a,b; wchar_t cFileName[260]; wchar_t alt[14]; } WIN32_FIND_DATAW;
HANDLE FindFirstFileW(LPCWSTR, WIN32_FIND_DATAW*); BOOL FindNextFileW(HANDLE, WIN32_FIND_DATAW*);
BOOL FindClose(HANDLE);
DWORD GetLastError(void);
#define ERROR_NO_MORE_FILES 18
#define ERROR_FILE_NOT_FOUND 2
#define ERROR_PATH_NOT_FOUND 3
#define ERROR_ACCESS_DENIED 5
#define ERROR_INVALID_PARAMETER 87
#define FILE_ATTRIBUTE_READONLY 1
#define FALSE 0
#define SYNCHRONIZE 0x100000
#define WAIT_OBJECT_0 0
HANDLE OpenProcess(DWORD, BOOL, DWORD); BOOL GetComputerNameA(char*, DWORD*);
#define STD_ERROR_HANDLE ((DWORD)-12)
HANDLE GetStdHandle(DWORD); BOOL GetConsoleMode(HANDLE, DWORD*); DWORD GetFileType(HANDLE);
typedef struct { short Left, Top, Right, Bottom; } SMALL_RECT;
typedef struct { int size, cursor; unsigned short attributes; SMALL_RECT srWindow; int most; }
    CONSOLE_SCREEN_BUFFER_INFO;
BOOL GetConsoleScreenBufferInfo(HANDLE, CONSOLE_SCREEN_BUFFER_INFO*);
#define FILE_TYPE_CHAR 2
long InterlockedExchange(volatile long *, long); long InterlockedExchangeAdd(volatile long *, long);
void YieldProcessor(void);
#endif
