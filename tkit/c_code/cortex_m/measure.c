/* Instructions and stack of one model_run. Under `-icount shift=0` QEMU takes a nanosecond for an instruction, and its
   SysTick ticks every 40. */
#include "model.h"

#include <stdio.h>

#define INSTRUCTIONS_PER_TICK 40
#define STACK_WORDS 16384
#define PAINT 0xA5A5A5A5u

static volatile uint32_t *const control = (uint32_t *)0xE000E010, *const reload = (uint32_t *)0xE000E014;
static volatile uint32_t *const value = (uint32_t *)0xE000E018;
static volatile uint32_t wraps;

void ticked(void)
{
    wraps++;
}

static uint64_t ticks(void)
{
    uint32_t before, now;
    do {
        before = wraps;
        now = *value;
    } while (before != wraps);
    return (uint64_t)before * 0x1000000 + (0xFFFFFF - now);
}

int main(void)
{
    *reload = 0xFFFFFF;
    *value = 0;
    *control = 7; /* on, with an interrupt when it wraps, by the processor's clock */
    while (!*value)
        ;
    volatile uint32_t *top, *word;
    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (word = top - STACK_WORDS; word < top; word++)
        *word = PAINT;
    uint64_t begin = ticks();
    int failed = model_run(); /* all inputs are 0 */
    uint64_t instructions = (ticks() - begin) * INSTRUCTIONS_PER_TICK;
    for (word = top - STACK_WORDS; word < top && *word == PAINT;)
        word++;
    printf(
        "{\"instructions\": %lu, \"stack_bytes\": %d}\n", (unsigned long)instructions, (int)(top - word) * 4);
    return failed;
}
