/* Start of a program for a Cortex-M in QEMU: 0x20000000 is RAM, standard output and the exit code go through
   semihosting. */
#include <stdint.h>
#include <stdlib.h>

extern uint32_t stack_top, data_begin, data_end, data_load, bss_begin, bss_end;
extern void initialise_monitor_handles(void);
int main(void);
void ticked(void);
void reset(void);

void _init(void) {}
void _fini(void) {}

static void fault(void)
{
    exit(70);
}

void reset(void)
{
    for (uint32_t *to = &data_begin, *from = &data_load; to < &data_end;)
        *to++ = *from++;
    for (uint32_t *to = &bss_begin; to < &bss_end;)
        *to++ = 0;
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* the floating-point unit, where there is one */
    initialise_monitor_handles();
    exit(main());
}

__attribute__((weak)) void ticked(void) {}

__attribute__((section(".vectors"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))&stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, ticked,
};
