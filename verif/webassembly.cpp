// SPDX-License-Identifier: BSD-2-Clause
// What the harness needs of a C++ library where there is none: memory, which a page never gives back.

#include <cstdint>

typedef __SIZE_TYPE__ Size;

extern "C" unsigned char __heap_base;

namespace {

constexpr uintptr_t PAGE = 65536, ALIGNMENT = 64;
uintptr_t next_free = 0;

}  // namespace

// Returns room for so many bytes, all 0, or ends the program with a trap if there is none.
extern "C" void* memory_room(Size size) {
    if (!next_free) next_free = reinterpret_cast<uintptr_t>(&__heap_base);
    const uintptr_t here = (next_free + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    next_free = here + size;
    const uintptr_t there = __builtin_wasm_memory_size(0) * PAGE;
    if (next_free > there && __builtin_wasm_memory_grow(0, (next_free - there + PAGE - 1) / PAGE) == ~Size(0))
        __builtin_trap();
    return reinterpret_cast<void*>(here);
}

namespace std {
enum class align_val_t : Size {};
}

// What the array asks for is never aligned to more than `memory_room` does.
void* operator new(Size size) { return memory_room(size); }
void* operator new(Size size, std::align_val_t) { return memory_room(size); }
void operator delete(void*) noexcept {}
void operator delete(void*, Size) noexcept {}
void operator delete(void*, std::align_val_t) noexcept {}
void operator delete(void*, Size, std::align_val_t) noexcept {}
