// Styles are bundled by esbuild; they export nothing.
declare module "*.css";
