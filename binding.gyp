{
  # For node-gyp and prebuildify: they run the same cmake-js build as npm install does.
  "targets": [
    {
      "target_name": "magic_grpo",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js_build",
          "inputs": [
            "CMakeLists.txt",
            "src/install/build-addon.ts",
            "<!@(find native -type f)"
          ],
          "outputs": ["<(PRODUCT_DIR)/magic_grpo.node"],
          "action": ["npm", "run", "build:native"],
          "message": "Building the addon by cmake-js"
        }
      ]
    }
  ]
}
