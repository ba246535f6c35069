import { defineConfig } from 'vite';

export default defineConfig({
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}', global: 'window' },
  esbuild: { jsx: 'automatic' },
  build: { target: 'es2022', chunkSizeWarningLimit: 20000, sourcemap: false, minify: false },
});
