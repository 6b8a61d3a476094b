//! An allocator over one static piece of memory.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

/// All the memory that there is.
const BYTES: usize = 256 << 10;
/// Blocks are powers of two, from 16 bytes to all of it.
const SMALLEST_SHIFT: usize = 4;
const CLASSES: usize = 15;

/// Hands out blocks whose size is a power of two. A block that is given back
/// is handed out again for its size, so memory does not run out by churn.
pub(crate) struct Arena {
    memory: UnsafeCell<Memory>,
}

#[repr(C, align(4096))]
struct Memory {
    bytes: [u8; BYTES],
    /// Bytes from the beginning that were ever handed out.
    used: usize,
    /// Blocks that were given back, by size; each holds a pointer to the next.
    free: [*mut u8; CLASSES],
}

// SAFETY: this program has one thread and no interrupt.
unsafe impl Sync for Arena {}

impl Arena {
    pub(crate) const fn new() -> Self {
        let free = [ptr::null_mut(); CLASSES];
        Self { memory: UnsafeCell::new(Memory { bytes: [0; BYTES], used: 0, free }) }
    }

    /// The most bytes that were ever in use, rounded up to blocks.
    pub(crate) fn used_max(&self) -> usize {
        // SAFETY: nobody else looks at it meanwhile: see `Sync`.
        unsafe { (*self.memory.get()).used }
    }
}

/// The class of blocks that fit `layout`.
fn class_of(layout: Layout) -> usize {
    let bytes = layout.size().max(layout.align()).max(1 << SMALLEST_SHIFT);
    bytes.next_power_of_two().trailing_zeros() as usize - SMALLEST_SHIFT
}

// SAFETY: blocks do not overlap: they are cut one after the other, and one
// that was given back is handed out once. A block's address is a multiple of
// its size, up to the arena's own alignment of 4096 bytes; more is refused.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let class = class_of(layout);
        if class >= CLASSES || layout.align() > 4096 {
            return ptr::null_mut();
        }
        let bytes = 1 << (class + SMALLEST_SHIFT);
        // SAFETY: nobody else works on it meanwhile: see `Sync`.
        let memory = unsafe { &mut *self.memory.get() };
        let block = memory.free[class];
        if !block.is_null() {
            // SAFETY: a block in the list begins with a pointer to the next.
            memory.free[class] = unsafe { block.cast::<*mut u8>().read() };
            return block;
        }
        let from = memory.used.next_multiple_of(bytes.min(4096));
        if from + bytes > BYTES {
            return ptr::null_mut();
        }
        memory.used = from + bytes;
        // SAFETY: `from` lies within the bytes.
        unsafe { memory.bytes.as_mut_ptr().add(from) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let class = class_of(layout);
        // SAFETY: as above; the block is no longer anybody's and holds at
        // least 16 bytes, aligned to as many.
        unsafe {
            let memory = &mut *self.memory.get();
            block.cast::<*mut u8>().write(memory.free[class]);
            memory.free[class] = block;
        }
    }
}
