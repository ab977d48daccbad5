// A file system in memory for a program compiled with wasi-libc: the 17 calls of WASI (preview 1) that ssl.h needs.
// Files are arrays of bytes under their paths, "data/train/index.txt"; folders exist when a file lies in them.

const OK = 0, EBADF = 8, EEXIST = 20, EINVAL = 28, ENOENT = 44;
const DEVICE = 2, FOLDER = 3, FILE = 4; // types of files
const ROOT = 3; // the descriptor of the folder that everything lies in; 0, 1, 2 are the standard streams

export class Files {
    constructor() {
        this.files = new Map(); // path -> {bytes: Uint8Array, size}
        this.open = new Map(); // descriptor -> {file, at, append} or {folder}
        this.next = ROOT + 1;
        this.said = ""; // the unfinished line of stdout and stderr
    }

    put(path, bytes) { this.files.set(path, {bytes, size: bytes.length}); }
    get(path) {
        const f = this.files.get(path);
        return f && f.bytes.slice(0, f.size);
    }
    isFolder(path) {
        if (path === "" || path === "out") return true;
        for (const name of this.files.keys()) if (name.startsWith(path + "/")) return true;
        return false;
    }

    // The memory grows, so views of it are made anew in each call.
    view() { return new DataView(this.memory.buffer); }
    bytes(at, length) { return new Uint8Array(this.memory.buffer, at, length); }
    path(at, length) {
        return new TextDecoder().decode(this.bytes(at, length)).split("/").filter(p => p && p !== ".").join("/");
    }
    // Calls back for each piece of a vector of buffers, until one returns fewer bytes than it was given.
    vector(iovs, count, moved, piece) {
        let total = 0;
        for (let i = 0; i < count; i++) {
            const v = this.view(), length = v.getUint32(iovs + 8 * i + 4, true);
            const n = piece(this.bytes(v.getUint32(iovs + 8 * i, true), length));
            total += n;
            if (n < length) break;
        }
        this.view().setUint32(moved, total, true);
        return OK;
    }

    say(bytes) {
        this.said += new TextDecoder().decode(bytes);
        const lines = this.said.split("\n");
        this.said = lines.pop();
        for (const line of lines) console.log(line);
        return bytes.length;
    }

    imports() {
        const calls = {
            clock_time_get: (clock, precision, out) => {
                this.view().setBigUint64(out, BigInt(Math.round(performance.now() * 1e6)), true);
                return OK;
            },
            proc_exit: code => { throw new Error("the program ended with code " + code); },
            fd_prestat_get: (fd, out) => {
                if (fd !== ROOT) return EBADF;
                this.view().setUint8(out, 0);
                this.view().setUint32(out + 4, 1, true);
                return OK;
            },
            fd_prestat_dir_name: (fd, out, length) => {
                this.bytes(out, length).set([47]); // "/"
                return OK;
            },
            fd_fdstat_get: (fd, out) => {
                const o = this.open.get(fd);
                if (fd > ROOT && !o) return EBADF;
                this.bytes(out, 24).fill(0);
                this.view().setUint8(out, fd < ROOT ? DEVICE : fd === ROOT || o.folder !== undefined ? FOLDER : FILE);
                this.bytes(out + 8, 16).fill(255); // all rights
                return OK;
            },
            fd_fdstat_set_flags: () => OK,
            fd_sync: () => OK,
            fd_close: fd => this.open.delete(fd) ? OK : EBADF,
            fd_read: (fd, iovs, count, moved) => {
                const o = this.open.get(fd);
                if (!o || !o.file) return EBADF;
                return this.vector(iovs, count, moved, to => {
                    const from = o.file.bytes.subarray(o.at, Math.min(o.at + to.length, o.file.size));
                    to.set(from);
                    o.at += from.length;
                    return from.length;
                });
            },
            fd_write: (fd, iovs, count, moved) => {
                const o = this.open.get(fd);
                if (fd > 2 && !(o && o.file)) return EBADF;
                return this.vector(iovs, count, moved, from => {
                    if (fd < ROOT) return this.say(from);
                    if (o.append) o.at = o.file.size;
                    const end = o.at + from.length;
                    if (end > o.file.bytes.length) {
                        const larger = new Uint8Array(2 * end);
                        larger.set(o.file.bytes.subarray(0, o.file.size));
                        o.file.bytes = larger;
                    }
                    o.file.bytes.set(from, o.at);
                    o.at = end;
                    o.file.size = Math.max(o.file.size, end);
                    return from.length;
                });
            },
            fd_seek: (fd, offset, whence, out) => {
                const o = this.open.get(fd);
                if (!o || !o.file) return EBADF;
                const at = Number(offset) + (whence === 0 ? 0 : whence === 1 ? o.at : o.file.size);
                if (at < 0) return EINVAL;
                o.at = at;
                this.view().setBigUint64(out, BigInt(at), true);
                return OK;
            },
            fd_readdir: (fd, out, length, cookie, used) => {
                const o = fd === ROOT ? {folder: ""} : this.open.get(fd);
                if (!o || o.folder === undefined) return EBADF;
                const inside = o.folder === "" ? "" : o.folder + "/", names = new Map();
                for (const path of this.files.keys())
                    if (path.startsWith(inside)) {
                        const [name, deeper] = path.slice(inside.length).split("/");
                        names.set(name, deeper === undefined ? FILE : FOLDER);
                    }
                let at = 0;
                [...names].sort().forEach(([name, type], i) => {
                    if (i < Number(cookie) || at >= length) return;
                    const text = new TextEncoder().encode(name), entry = new Uint8Array(24 + text.length);
                    const v = new DataView(entry.buffer);
                    v.setBigUint64(0, BigInt(i + 1), true);
                    v.setUint32(16, text.length, true);
                    v.setUint8(20, type);
                    entry.set(text, 24);
                    const part = entry.subarray(0, length - at); // a name that is cut off is asked for again
                    this.bytes(out + at, part.length).set(part);
                    at += part.length;
                });
                this.view().setUint32(used, at, true);
                return OK;
            },
            path_open: (dir, lookup, at, length, how, rights, inherited, flags, out) => {
                const CREATE = 1, FOLDER_ONLY = 2, NEW = 4, CUT = 8, APPEND = 1;
                const path = this.path(at, length), folder = this.isFolder(path);
                let file = this.files.get(path);
                if (file && how & NEW) return EEXIST;
                if (!file && !folder) {
                    if (!(how & CREATE) || how & FOLDER_ONLY) return ENOENT;
                    this.put(path, new Uint8Array(0));
                    file = this.files.get(path);
                }
                if (file && how & CUT) file.size = 0;
                this.open.set(this.next, folder ? {folder: path} : {file, at: 0, append: (flags & APPEND) !== 0});
                this.view().setUint32(out, this.next++, true);
                return OK;
            },
            path_filestat_get: (dir, flags, at, length, out) => {
                const path = this.path(at, length), file = this.files.get(path);
                if (!file && !this.isFolder(path)) return ENOENT;
                this.bytes(out, 64).fill(0);
                this.view().setUint8(out + 16, file ? FILE : FOLDER);
                this.view().setBigUint64(out + 24, 1n, true);
                this.view().setBigUint64(out + 32, BigInt(file ? file.size : 0), true);
                return OK;
            },
            path_rename: (dir, from, fromLength, dir2, to, toLength) => {
                const path = this.path(from, fromLength), file = this.files.get(path);
                if (!file) return ENOENT;
                this.files.delete(path);
                this.files.set(this.path(to, toLength), file);
                return OK;
            },
            path_unlink_file: (dir, at, length) => this.files.delete(this.path(at, length)) ? OK : ENOENT,
            path_remove_directory: () => ENOENT,
        };
        return {wasi_snapshot_preview1: calls};
    }
}
